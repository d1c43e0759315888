-- name: admit_to_queue
-- Lets this transaction see the queue's tables (policy by_queue) until it ends.
SELECT set_config('mnema.queue', 'on', true)

-- name: admit_to_share
-- $1 key. As admit_to_queue; and until this transaction ends, which may count on a job of that key that waits, none of
-- them begins.
SELECT set_config('mnema.queue', 'on', true), pg_advisory_xact_lock_shared(hashtextextended($1::text, 1))

-- name: is_waiting
-- $1 key. Whether a job of that key has not begun yet. Key: pgqueuer_unique_dedupe_key.
SELECT EXISTS (SELECT FROM pgqueuer WHERE dedupe_key = $1 AND status IN ('queued', 'picked'))

-- name: await_sharers
-- $1 key. Waits for the transactions that count on a waiting job of that key; those that come later wait for this one.
SELECT pg_advisory_xact_lock(hashtextextended($1::text, 1))

-- name: reopen
-- $1 key. The jobs of that key that have been taken up no longer stand for one that waits. Key: pgqueuer_unique_dedupe_key.
UPDATE pgqueuer SET dedupe_key = NULL WHERE dedupe_key = $1 AND status = 'picked'
