-- Any JSON value under a namespace and a key. Values travel as JSON texts: a null among them is a value, not a NULL.

-- name: retract_values
-- $1 owner_id, $2 namespace, $3 key[]. Key: uq_key_values_present.
-- Never before it was recorded: this transaction may have begun before the one that stored the value.
UPDATE key_values SET retracted_at = greatest(record_time(), recorded_at)
WHERE owner_id = $1 AND namespace = $2 AND key = ANY ($3::text[]) AND retracted_at IS NULL
RETURNING key

-- name: insert_values
-- $1 owner_id, $2 namespace; arrays, one entry a value: $3 key, $4 value (JSON text); $5 extraction_id (may be null).
-- Key: pk_key_values, which also tells the next revision. It is recorded when the one before ends, or later.
INSERT INTO key_values (owner_id, namespace, key, revision, value, extraction_id, recorded_at)
SELECT $1, $2, given.key, 1 + coalesce(before.revision, 0), given.value::jsonb, $5, greatest(record_time(), before.retracted_at)
FROM unnest($3::text[], $4::text[]) AS given (key, value)
LEFT JOIN LATERAL (
    SELECT revision, retracted_at FROM key_values
    WHERE owner_id = $1 AND namespace = $2 AND key_values.key = given.key
    ORDER BY revision DESC LIMIT 1) AS before ON true
RETURNING key, value, revision, recorded_at

-- name: get_value
-- $1 owner_id, $2 namespace, $3 key. Key: pk_key_values.
SELECT key, value, revision, recorded_at FROM key_values
WHERE owner_id = $1 AND namespace = $2 AND key = $3 AND retracted_at IS NULL

-- name: get_values
-- $1 owner_id, $2 namespace, $3 key[]. Key: pk_key_values.
SELECT key, value, revision, recorded_at FROM key_values
WHERE owner_id = $1 AND namespace = $2 AND key = ANY ($3::text[]) AND retracted_at IS NULL

-- name: get_value_as_of
-- $1 owner_id, $2 namespace, $3 key, $4 the moment. Key: pk_key_values.
SELECT key, value, revision, recorded_at FROM key_values
WHERE owner_id = $1 AND namespace = $2 AND key = $3
  AND recorded_at <= $4 AND (retracted_at IS NULL OR retracted_at > $4)

-- name: list_values
-- $1 owner_id, $2 namespace, $3 prefix, $4 the last row's key (empty: from the start), $5 how many.
-- Key: uq_key_values_present, from the prefix on.
SELECT key, value, revision, recorded_at FROM key_values
WHERE owner_id = $1 AND namespace = $2 AND retracted_at IS NULL
  AND key COLLATE "C" >= $3 AND key COLLATE "C" > $4 AND starts_with(key, $3)
ORDER BY key COLLATE "C" LIMIT $5

-- name: list_values_as_of
-- As list_values; $6 the moment. Key: pk_key_values, over all revisions of the namespace.
SELECT key, value, revision, recorded_at FROM key_values
WHERE owner_id = $1 AND namespace = $2
  AND recorded_at <= $6 AND (retracted_at IS NULL OR retracted_at > $6)
  AND key COLLATE "C" > $4 AND starts_with(key, $3)
ORDER BY key COLLATE "C" LIMIT $5
