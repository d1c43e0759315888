-- name: admit_to_queue
-- Lets this transaction see the queue's tables (policy by_queue) until it ends.
SELECT set_config('mnema.queue', 'on', true)
