-- Extractions: runs of the extractor over some messages of one session.

-- name: insert_extraction
-- $1 owner_id, $2 extraction_id, $3 session_id, $4 max_attempts, $5 messages, $6 extractor. Key: pk_extractions.
INSERT INTO extractions (owner_id, extraction_id, session_id, max_attempts, messages, extractor)
VALUES ($1, $2, $3, $4, $5, $6)

-- name: get_extraction
-- $1 owner_id, $2 extraction_id. Key: pk_extractions.
SELECT extraction_id, session_id, state, attempts, max_attempts, error, error_reason, messages, facts, episodes, triples,
       extractor, duration_ms, recorded_at, finished_at
FROM extractions WHERE owner_id = $1 AND extraction_id = $2

-- name: list_extractions
-- $1 owner_id, $2 state (empty: any), $3 session_id (empty: any), $4 and $5 the last row's recorded_at and extraction_id
-- (null: from the start), $6 how many. Key: ix_extractions_owner_recorded.
SELECT extraction_id, session_id, state, attempts, max_attempts, error, error_reason, messages, facts, episodes, triples,
       extractor, duration_ms, recorded_at, finished_at
FROM extractions
WHERE owner_id = $1 AND ($2 = '' OR state = $2) AND ($3 = '' OR session_id = $3)
  AND (recorded_at, extraction_id) < (coalesce($4::timestamptz, 'infinity'), coalesce($5::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
ORDER BY recorded_at DESC, extraction_id DESC LIMIT $6

-- name: finish
-- $1 owner_id, $2 extraction_id, $3 facts, $4 episodes, $5 triples, $6 extractor, $7 duration_ms. Key: pk_extractions.
-- No row if it is not running: another run of the same job has finished it.
UPDATE extractions SET state = 'done', attempts = attempts + 1, error = '', error_reason = '', facts = $3, episodes = $4,
    triples = $5, extractor = $6, duration_ms = $7, finished_at = now()
WHERE owner_id = $1 AND extraction_id = $2 AND state = 'running'
RETURNING session_id, messages

-- name: note_failure
-- $1 owner_id, $2 extraction_id, $3 error, $4 error_reason, $5 extractor, $6 the attempts that this run began with.
-- Key: pk_extractions. The last attempt makes it failed. No row if another run of the same job has got further.
UPDATE extractions SET attempts = attempts + 1, error = $3, error_reason = $4, extractor = $5,
    state = CASE WHEN attempts + 1 >= max_attempts THEN 'failed' ELSE 'running' END,
    finished_at = CASE WHEN attempts + 1 >= max_attempts THEN now() END
WHERE owner_id = $1 AND extraction_id = $2 AND state = 'running' AND attempts = $6
RETURNING attempts, state = 'failed' AS failed, session_id, messages

-- name: restart_failed
-- $1 owner_id, $2 further attempts, $3 extraction_id[] (empty: all), $4 how many. Key: ix_extractions_owner_unfinished.
UPDATE extractions SET state = 'running', max_attempts = attempts + $2, finished_at = NULL
WHERE owner_id = $1 AND extraction_id IN (
    SELECT extraction_id FROM extractions
    WHERE owner_id = $1 AND state = 'failed' AND (cardinality($3::uuid[]) = 0 OR extraction_id = ANY ($3))
    ORDER BY extraction_id LIMIT $4 FOR UPDATE) AND state = 'failed'
RETURNING extraction_id, session_id

-- name: count_waiting
-- $1 owner_id. Keys: ix_messages_unextracted, ix_extractions_owner_unfinished.
SELECT (SELECT count(*) FROM messages WHERE owner_id = $1 AND extraction_state = 'pending') AS pending_messages,
       count(*) FILTER (WHERE state IN ('pending', 'running')) AS running_extractions,
       count(*) FILTER (WHERE state = 'failed') AS failed_extractions
FROM extractions WHERE owner_id = $1 AND state <> 'done'

-- name: insert_pathways
-- $1 owner_id; arrays, one entry a step: $2 memory_id, $3 position, $4 node_type, $5 node_id. Key: pk_pathways.
INSERT INTO pathways (owner_id, memory_id, position, node_type, node_id)
SELECT $1, memory_id, position, node_type, node_id
FROM unnest($2::uuid[], $3::integer[], $4::text[], $5::text[]) AS given (memory_id, position, node_type, node_id)
ON CONFLICT DO NOTHING
