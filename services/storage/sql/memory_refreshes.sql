-- What memories were before they were said again: a row a time, by the revision (item_id).

-- name: refresh_memory
-- $1 owner_id, $2 item_id, $3 importance (null: leaves it; a stored null counts as 5), $4 source_message_ids,
-- $5 source_memory_ids. Keys: pk_memories, pk_memory_refreshes. Of two times at one moment the first one's row says what was
-- before.
WITH before AS (
    INSERT INTO memory_refreshes (
        owner_id, item_id, recorded_at, importance, source_messages, source_memories, last_refreshed_at)
    SELECT owner_id, item_id, greatest(record_time(), last_refreshed_at), importance,
           cardinality(source_message_ids), cardinality(source_memory_ids), last_refreshed_at
    FROM memories WHERE owner_id = $1 AND item_id = $2
    ON CONFLICT (owner_id, item_id, recorded_at) DO NOTHING)
UPDATE memories SET
    last_refreshed_at = greatest(record_time(), last_refreshed_at),
    importance = CASE WHEN $3::smallint > coalesce(importance, 5) THEN $3 ELSE importance END,
    source_message_ids = source_message_ids || ARRAY(
        SELECT given FROM unnest($4::uuid[]) AS given WHERE given <> ALL (source_message_ids)),
    source_memory_ids = source_memory_ids || ARRAY(
        SELECT given FROM unnest($5::uuid[]) AS given WHERE given <> ALL (source_memory_ids))
WHERE owner_id = $1 AND item_id = $2

-- name: first_refreshes_after
-- $1 owner_id, $2 item_id[], $3 the moment. Key: pk_memory_refreshes. Of each that was said again since, what it was.
SELECT DISTINCT ON (item_id) item_id, importance, source_messages, source_memories, last_refreshed_at
FROM memory_refreshes WHERE owner_id = $1 AND item_id = ANY ($2::uuid[]) AND recorded_at > $3
ORDER BY item_id, recorded_at
