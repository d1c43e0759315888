-- Messages, as they were said.

-- name: insert_messages
-- $1 owner_id; arrays, one entry a message: $2 message_id, $3 session_id, $4 sequence, $5 role, $6 speaker, $7 content,
-- $8 metadata, $9 said_at (null: now); $10 extraction_state of all. Keys: pk_messages, uq_messages_sequence.
INSERT INTO messages (owner_id, message_id, session_id, sequence, role, speaker, content, metadata, said_at, extraction_state)
SELECT $1, message_id, session_id, sequence, role, speaker, content, metadata, coalesce(said_at, now()), $10
FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::jsonb[], $9::timestamptz[])
    AS given (message_id, session_id, sequence, role, speaker, content, metadata, said_at)
RETURNING message_id, session_id, sequence, role, speaker, content, metadata, said_at, recorded_at, extraction_state

-- name: get_messages
-- $1 owner_id, $2 message_id[], $3 as of (null: now). Key: pk_messages.
SELECT message_id, session_id, sequence, role, speaker, content, metadata, said_at, recorded_at, extraction_state
FROM messages
WHERE owner_id = $1 AND message_id = ANY ($2::uuid[])
  AND CASE WHEN $3::timestamptz IS NULL THEN retracted_at IS NULL
           ELSE recorded_at <= $3 AND (retracted_at IS NULL OR retracted_at > $3) END

-- name: list_session_messages
-- $1 owner_id, $2 session_id, $3 extraction_state (empty: any), $4 the last row's sequence (0: from the start), $5 how many,
-- $6 as of (null: now). Key: uq_messages_sequence.
SELECT message_id, session_id, sequence, role, speaker, content, metadata, said_at, recorded_at, extraction_state
FROM messages
WHERE owner_id = $1 AND session_id = $2 AND sequence > $4
  AND CASE WHEN $6::timestamptz IS NULL THEN retracted_at IS NULL
           ELSE recorded_at <= $6 AND (retracted_at IS NULL OR retracted_at > $6) END
  AND ($3 = '' OR extraction_state = $3)
ORDER BY sequence LIMIT $5

-- name: list_messages
-- $1 owner_id, $2 extraction_state (empty: any), $3 and $4 the last row's recorded_at and message_id (null: from the
-- start), $5 how many, $6 as of (null: now). Key: ix_messages_owner_recorded.
SELECT message_id, session_id, sequence, role, speaker, content, metadata, said_at, recorded_at, extraction_state
FROM messages
WHERE owner_id = $1
  AND CASE WHEN $6::timestamptz IS NULL THEN retracted_at IS NULL
           ELSE recorded_at <= $6 AND (retracted_at IS NULL OR retracted_at > $6) END
  AND (recorded_at, message_id) > (coalesce($3::timestamptz, '-infinity'), coalesce($4::uuid, '00000000-0000-0000-0000-000000000000'))
  AND ($2 = '' OR extraction_state = $2)
ORDER BY recorded_at, message_id LIMIT $5

-- name: list_pending
-- $1 owner_id, $2 session_id, $3 how many. Key: ix_messages_unextracted. The lengths alone: contents may be long.
SELECT message_id, length(content) AS characters FROM messages
WHERE owner_id = $1 AND session_id = $2 AND extraction_state = 'pending'
ORDER BY sequence LIMIT $3

-- name: sessions_with_pending
-- $1 owner_id, $2 session_id[], $3 how many. Key: ix_messages_unextracted. Of these sessions those with as many pending.
SELECT session_id FROM unnest($2::text[]) AS given (session_id)
WHERE $3 <= (SELECT count(*) FROM (
    SELECT FROM messages
    WHERE owner_id = $1 AND messages.session_id = given.session_id AND extraction_state = 'pending' LIMIT $3) AS counted)

-- name: assign_extraction
-- $1 owner_id, $2 message_id[], $3 extraction_id. Key: pk_messages.
UPDATE messages SET extraction_state = 'running', extraction_id = $3
WHERE owner_id = $1 AND message_id = ANY ($2::uuid[])

-- name: get_extraction_messages
-- $1 owner_id, $2 extraction_id. Key: ix_messages_extraction.
SELECT message_id, session_id, sequence, role, speaker, content, metadata, said_at, recorded_at, extraction_state
FROM messages WHERE owner_id = $1 AND extraction_id = $2 AND retracted_at IS NULL
ORDER BY sequence

-- name: set_extraction_state
-- $1 owner_id, $2 extraction_id[], $3 state. Key: ix_messages_extraction.
UPDATE messages SET extraction_state = $3 WHERE owner_id = $1 AND extraction_id = ANY ($2::uuid[])
