-- Housekeeping of the queue's own tables, for a session that the policy by_queue admits.

-- name: free_keys
-- Held jobs no longer stand for one that waits (jobs.sql). Held ones are few.
UPDATE pgqueuer SET dedupe_key = NULL WHERE status = 'failed' AND dedupe_key IS NOT NULL

-- name: purge_log
-- $1 how long entries are kept (interval). At most 5,000. Key: pgqueuer_log_created.
-- What is not in the statistics yet stays.
DELETE FROM pgqueuer_log WHERE id IN (
    SELECT id FROM pgqueuer_log WHERE created < now() - $1::interval AND aggregated ORDER BY created LIMIT 5000)

-- name: purge_statistics
-- $1 how long they are kept (interval). At most 5,000.
DELETE FROM pgqueuer_statistics WHERE id IN (
    SELECT id FROM pgqueuer_statistics WHERE created < now() - $1::interval LIMIT 5000)
