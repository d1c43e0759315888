-- Receipts of erased users, and what is left to delete of their files.

-- name: take_jobs
-- $1 owner_id as text. Takes all jobs of the user out of the queue, those that run as well. With the keys of bytes that
-- they were to delete. The queue is short: what is done is not in it.
DELETE FROM pgqueuer WHERE convert_from(payload, 'UTF8')::jsonb ->> 'owner_id' = $1
RETURNING convert_from(payload, 'UTF8')::jsonb ->> 'object_key' AS object_key, execute_after

-- name: list_object_keys
-- $1 owner_id. Key: pk_documents.
SELECT object_key, now() AS due_at FROM documents WHERE owner_id = $1 AND object_key <> ''

-- name: delete_api_keys
-- $1 tenant_id, $2 user_id; in a transaction of the tenant as such. Key: ix_api_keys_tenant.
WITH erased AS (DELETE FROM api_keys WHERE tenant_id = $1 AND user_id = $2 RETURNING 1) SELECT count(*) FROM erased

-- name: insert_deletion
-- $1 tenant_id, $2 deletion_id, $3 owner_hash, $4 counts (jsonb), $5 whether nothing is left to delete.
INSERT INTO deletions (tenant_id, deletion_id, owner_hash, counts, finished_at)
VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN now() END)

-- name: insert_objects
-- $1 tenant_id, $2 deletion_id, $3 object_key[], $4 due_at[].
INSERT INTO deletion_objects (tenant_id, deletion_id, object_key, due_at)
SELECT $1, $2, object_key, due_at FROM unnest($3::text[], $4::timestamptz[]) AS given (object_key, due_at)

-- name: get_deletion
-- $1 tenant_id, $2 deletion_id, $3 owner_hash, $4 how long receipts are kept. Keys: pk_deletions, pk_deletion_objects.
SELECT deletion_id, counts, objects_deleted, recorded_at, finished_at, recorded_at + $4::interval AS expires_at,
       (SELECT count(*) FROM deletion_objects WHERE tenant_id = $1 AND deletion_id = $2) AS objects_pending
FROM deletions
WHERE tenant_id = $1 AND deletion_id = $2 AND owner_hash = $3 AND recorded_at > now() - $4::interval

-- name: purge_deletions
-- $1 tenant_id, $2 how long receipts are kept. At most 100. Key: ix_deletions_age.
DELETE FROM deletions WHERE tenant_id = $1 AND deletion_id IN (
    SELECT deletion_id FROM deletions
    WHERE tenant_id = $1 AND recorded_at < now() - $2::interval AND finished_at IS NOT NULL ORDER BY recorded_at LIMIT 100)

-- name: due_objects
-- $1 tenant_id, $2 deletion_id, $3 how many. Key: ix_deletion_objects_due.
SELECT object_key FROM deletion_objects
WHERE tenant_id = $1 AND deletion_id = $2 AND due_at <= now() ORDER BY due_at LIMIT $3

-- name: object_is_needed
-- $1 owner_id, $2 object_key. Key: pk_documents.
SELECT EXISTS (SELECT FROM documents WHERE owner_id = $1 AND object_key = $2)

-- name: note_deleted
-- $1 tenant_id, $2 deletion_id, $3 object_key[]. Keys: pk_deletion_objects, pk_deletions.
WITH gone AS (
    DELETE FROM deletion_objects WHERE tenant_id = $1 AND deletion_id = $2 AND object_key = ANY ($3::text[]) RETURNING 1)
UPDATE deletions SET objects_deleted = objects_deleted + (SELECT count(*) FROM gone)
WHERE tenant_id = $1 AND deletion_id = $2

-- name: next_due
-- $1 tenant_id, $2 deletion_id. Key: ix_deletion_objects_due. In how many seconds more can be deleted; no row: nothing is left.
SELECT greatest(0, extract(epoch FROM min(due_at) - now()))::double precision
FROM deletion_objects WHERE tenant_id = $1 AND deletion_id = $2 HAVING count(*) > 0

-- name: finish
-- $1 tenant_id, $2 deletion_id. Key: pk_deletions.
UPDATE deletions SET finished_at = coalesce(finished_at, now()) WHERE tenant_id = $1 AND deletion_id = $2
