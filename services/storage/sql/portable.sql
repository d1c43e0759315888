-- What an export needs beside the rows of tables, and an import beside putting them there.

-- name: open_objects
-- A cursor over the files of the user that the transaction acts for whose bytes are kept. Key: pk_documents.
DECLARE objects NO SCROLL CURSOR FOR
SELECT file_id, object_key FROM documents
WHERE owner_id = nullif(current_setting('mnema.owner', true), '')::uuid AND object_key <> '' ORDER BY file_id

-- name: delete_user
-- $1 owner_id. Key: pk_users.
DELETE FROM users WHERE owner_id = $1

-- name: set_numbers
-- $1 owner_id. Keys: uq_sessions_number, uq_documents_number. Numbering goes on behind what was imported.
INSERT INTO numbers (owner_id, counted, last_number)
SELECT $1, 'session', max(number) FROM sessions WHERE owner_id = $1 HAVING count(*) > 0
UNION ALL
SELECT $1, 'document', max(number) FROM documents WHERE owner_id = $1 HAVING count(*) > 0

-- name: settle_sessions
-- $1 owner_id. Keys: pk_sessions, uq_messages_sequence. What a session counts is what it holds, and the jobs of another
-- system are not here.
UPDATE sessions SET message_count = coalesce(held.last_sequence, 0), extraction_queued = coalesce(held.pending, false),
                    idle_queued = false
FROM sessions AS own LEFT JOIN (
    SELECT session_id, max(sequence) AS last_sequence, bool_or(extraction_state = 'pending') AS pending
    FROM messages WHERE owner_id = $1 GROUP BY session_id) AS held USING (session_id)
WHERE sessions.owner_id = $1 AND own.owner_id = $1 AND own.session_id = sessions.session_id

-- name: await_digests
-- $1 owner_id. Keys: ix_digests_owner_running, pk_digests. Digests that have not ended wait for a job anew.
UPDATE digests SET state = 'pending' WHERE owner_id = $1 AND state IN ('pending', 'running')
RETURNING digest_id

-- name: list_unfinished
-- $1 owner_id. Keys: ix_messages_unextracted, ix_extractions_owner_unfinished. Sessions with pending messages, and
-- extractions that were running.
SELECT DISTINCT session_id, NULL::uuid AS extraction_id FROM messages WHERE owner_id = $1 AND extraction_state = 'pending'
UNION ALL
SELECT session_id, extraction_id FROM extractions WHERE owner_id = $1 AND state IN ('pending', 'running')
