-- How often recall has returned a memory.

-- name: list_accesses
-- $1 owner_id, $2 memory_id[]. Key: pk_memory_accesses.
SELECT memory_id, access_count, last_accessed_at FROM memory_accesses
WHERE owner_id = $1 AND memory_id = ANY ($2::uuid[])

-- name: count_accesses
-- $1 owner_id, $2 memory_id[] (one may stand there several times), $3 when. Key: pk_memory_accesses.
-- In the key's order, so that two of these never wait for each other. Memories that are gone are not counted: counts come
-- behind the answers, and their user may have been erased since. Key: uq_memories_revision.
INSERT INTO memory_accesses AS counted (owner_id, memory_id, access_count, last_accessed_at)
SELECT $1, memory_id, count(*), $3 FROM unnest($2::uuid[]) AS given (memory_id)
WHERE EXISTS (SELECT FROM memories WHERE owner_id = $1 AND memories.memory_id = given.memory_id)
GROUP BY memory_id ORDER BY memory_id
ON CONFLICT (owner_id, memory_id) DO UPDATE SET
    access_count = counted.access_count + excluded.access_count,
    last_accessed_at = greatest(counted.last_accessed_at, excluded.last_accessed_at)
