-- Slots of memories: what has one value at a time.

-- name: vacate_slot
-- $1 owner_id, $2 slot, $3 a name in its content, in lower case, $4 the moment it ended. Key: uq_memories_slot.
-- No row unless the present holder names it and has not been true since later.
UPDATE memories SET retracted_at = greatest(record_time(), recorded_at), retracted_reason = 'ended'
WHERE owner_id = $1 AND slot = $2 AND retracted_at IS NULL AND position($3 IN lower(content)) > 0
  AND coalesce(event_at, recorded_at) <= $4
RETURNING item_id, memory_id, memory_type, revision
