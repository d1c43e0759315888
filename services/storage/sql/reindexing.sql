-- What the search index is built from.

-- name: list_everybody
-- Every user, in a transaction of an administrator.
SELECT owner_id, tenant_id, user_id FROM users ORDER BY owner_id

-- name: act_for
-- $1 owner_id as text: whose rows this transaction sees from here on.
SELECT set_config('mnema.owner', $1, true)

-- name: number_sessions
-- $1 owner_id. Numbers the sessions as they were made.
WITH numbered AS (
    SELECT session_id, row_number() OVER (ORDER BY recorded_at, session_id) AS number FROM sessions WHERE owner_id = $1
), counted AS (
    INSERT INTO numbers (owner_id, counted, last_number)
    SELECT $1, 'session', count(*) FROM numbered HAVING count(*) > 0
)
UPDATE sessions SET number = numbered.number FROM numbered
WHERE sessions.owner_id = $1 AND sessions.session_id = numbered.session_id

-- name: number_documents
-- $1 owner_id. Numbers the documents as they were made.
WITH numbered AS (
    SELECT file_id, row_number() OVER (ORDER BY recorded_at, file_id) AS number FROM documents WHERE owner_id = $1
), counted AS (
    INSERT INTO numbers (owner_id, counted, last_number)
    SELECT $1, 'document', count(*) FROM numbered HAVING count(*) > 0
)
UPDATE documents SET number = numbered.number FROM numbered
WHERE documents.owner_id = $1 AND documents.file_id = numbered.file_id

-- name: list_messages
-- $1 owner_id, $2 the last row's key (zero: from the start), $3 how many. Keys: pk_messages, pk_sessions. The page is
-- taken first: joined before, each would read all that is behind it.
SELECT message_id AS key, message_id, number, sequence, role, speaker, content, said_at, page.recorded_at
FROM (SELECT * FROM messages WHERE owner_id = $1 AND message_id > $2 AND retracted_at IS NULL
      ORDER BY message_id LIMIT $3) AS page
JOIN sessions USING (owner_id, session_id) ORDER BY message_id

-- name: list_memories
-- $1 owner_id, $2 the last row's key (zero: from the start), $3 how many. Key: pk_memories. The oldest first, which is
-- how ids are made; without those that stood at no moment.
SELECT item_id AS key, item_id, content, source_message_ids, event_at, memory_type, recorded_at, first_recorded_at
FROM memories
WHERE owner_id = $1 AND item_id > $2 AND (retracted_at IS NULL OR retracted_at > recorded_at)
ORDER BY item_id LIMIT $3

-- name: list_chunks
-- $1 owner_id, $2 the last row's key (zero: from the start), $3 how many. Keys: pk_chunks, pk_documents.
SELECT chunk_id AS key, chunk_id, number, position, content, start_offset, end_offset, page.recorded_at
FROM (SELECT * FROM chunks WHERE owner_id = $1 AND chunk_id > $2 ORDER BY chunk_id LIMIT $3) AS page
JOIN documents USING (owner_id, file_id) ORDER BY chunk_id

-- name: retract_memories
-- $1 owner_id. Keys: pk_memories, ix_search_items_item. Takes out of the present what was taken out of it.
UPDATE search_items SET retracted_at = memories.retracted_at
FROM memories
WHERE search_items.owner_id = $1 AND memories.owner_id = $1 AND memories.item_id = search_items.item_id
  AND memories.retracted_at IS NOT NULL
