-- What can be found: items, their postings and their vectors.
-- {vectors} stands for the table of one embedding space; services/storage/search_items.py puts it in.

-- name: insert_items
-- $1 owner_id; arrays, one entry an item: $2 item_id, $3 kind, $4 memory_type, $5 length, $6 event_at,
-- $7 recorded_at (null: now), $8 created_at (null: as recorded_at). Key: pk_search_items.
INSERT INTO search_items (owner_id, item_id, kind, memory_type, length, event_at, recorded_at, created_at)
SELECT $1, item_id, kind, memory_type, length, event_at,
       coalesce(recorded_at, now()), coalesce(created_at, recorded_at, now())
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::integer[], $6::timestamptz[], $7::timestamptz[], $8::timestamptz[])
    AS given (item_id, kind, memory_type, length, event_at, recorded_at, created_at)

-- name: insert_postings
-- $1 owner_id; arrays, one entry a posting: $2 term, $3 item_id, $4 frequency. Key: pk_postings.
-- In the key's order, so that neighbours in the index are written together.
INSERT INTO postings (owner_id, term, item_id, frequency)
SELECT $1, term, item_id, frequency
FROM unnest($2::text[], $3::uuid[], $4::smallint[]) AS given (term, item_id, frequency)
ORDER BY term, item_id

-- name: upsert_vectors
-- $1 owner_id, $2 item_id[], $3 embedding[] (halfvec), $4 space_id. One row an item that is still there.
-- The items are locked first: one that is being erased meanwhile does not leave a vector behind.
WITH present AS (
    SELECT item_id FROM search_items WHERE owner_id = $1 AND item_id = ANY ($2::uuid[])
    ORDER BY item_id FOR NO KEY UPDATE
), stored AS (
    INSERT INTO {vectors} AS vectors (owner_id, item_id, embedding)
    SELECT $1, given.item_id, given.embedding
    FROM unnest($2::uuid[], $3::halfvec[]) AS given (item_id, embedding) JOIN present USING (item_id)
    ON CONFLICT (owner_id, item_id) DO UPDATE SET embedding = excluded.embedding
    RETURNING item_id
), marked AS (
    UPDATE search_items SET embedded = true
    FROM stored
    WHERE search_items.owner_id = $1 AND search_items.item_id = stored.item_id AND NOT search_items.embedded
      AND (SELECT active FROM embedding_spaces WHERE space_id = $4)
)
SELECT count(*) FROM stored

-- name: copy_vector
-- $1 owner_id, $2 item_id that has the vector, $3 item_id of the same text that gets it. No row if there is none.
WITH copied AS (
    INSERT INTO {vectors} (owner_id, item_id, embedding)
    SELECT owner_id, $3, embedding FROM {vectors} WHERE owner_id = $1 AND item_id = $2
    RETURNING item_id)
UPDATE search_items SET embedded = true FROM copied
WHERE search_items.owner_id = $1 AND search_items.item_id = copied.item_id
RETURNING true

-- name: retract_items
-- $1 owner_id, $2 item_id[]. Never before they were recorded, though this transaction may have begun earlier.
UPDATE search_items SET retracted_at = greatest(now(), recorded_at)
WHERE owner_id = $1 AND item_id = ANY ($2::uuid[]) AND retracted_at IS NULL

-- name: erase_items
-- $1 owner_id, $2 item_id[]. Key: pk_search_items.
DELETE FROM search_items WHERE owner_id = $1 AND item_id = ANY ($2::uuid[])

-- name: erase_postings
-- $1 owner_id, $2 item_id[]. Reads all of the user's postings (pk_postings by owner): erasing is rare.
DELETE FROM postings WHERE owner_id = $1 AND item_id = ANY ($2::uuid[])

-- name: erase_vectors
-- $1 owner_id, $2 item_id[].
DELETE FROM {vectors} WHERE owner_id = $1 AND item_id = ANY ($2::uuid[])

-- name: list_spaces
SELECT space_id, model, dims, table_name FROM embedding_spaces ORDER BY space_id

-- name: list_unembedded
-- $1 owner_id, $2 how many at most. Key: ix_search_items_unembedded. The oldest first, with the text to embed.
SELECT pending.item_id, pending.kind,
       coalesce(memories.content, chunks.content,
                CASE messages.speaker WHEN '' THEN '' ELSE messages.speaker || ': ' END || messages.content) AS text
FROM (
    SELECT owner_id, item_id, kind, recorded_at FROM search_items
    WHERE owner_id = $1 AND NOT embedded ORDER BY recorded_at, item_id LIMIT $2
) AS pending
LEFT JOIN memories ON pending.kind = 'memory'
    AND memories.owner_id = pending.owner_id AND memories.item_id = pending.item_id
LEFT JOIN messages ON pending.kind = 'message'
    AND messages.owner_id = pending.owner_id AND messages.message_id = pending.item_id
LEFT JOIN chunks ON pending.kind = 'chunk'
    AND chunks.owner_id = pending.owner_id AND chunks.chunk_id = pending.item_id
WHERE num_nonnulls(memories.item_id, messages.message_id, chunks.chunk_id) = 1
ORDER BY pending.recorded_at, pending.item_id

-- name: count_unembedded
-- $1 owner_id. Key: ix_search_items_unembedded.
SELECT count(*) FROM search_items WHERE owner_id = $1 AND NOT embedded
