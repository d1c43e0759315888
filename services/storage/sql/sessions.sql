-- Sessions: their counters are what gives messages their places.

-- name: create_session
-- $1 owner_id, $2 session_id, $3 metadata. Key: pk_sessions. No row if there is one of that id.
WITH numbered AS (
    INSERT INTO numbers (owner_id, counted, last_number)
    SELECT $1, 'session', 1 WHERE NOT EXISTS (SELECT FROM sessions WHERE owner_id = $1 AND session_id = $2)
    ON CONFLICT (owner_id, counted) DO UPDATE SET last_number = numbers.last_number + 1
    RETURNING last_number
)
INSERT INTO sessions (owner_id, session_id, number, metadata)
SELECT $1, $2, last_number, $3::jsonb FROM numbered
ON CONFLICT DO NOTHING
RETURNING session_id, message_count, metadata, recorded_at, updated_at, last_message_at, closed_at

-- name: get_session
-- $1 owner_id, $2 session_id. Key: pk_sessions.
SELECT session_id, message_count, metadata, recorded_at, updated_at, last_message_at, closed_at
FROM sessions WHERE owner_id = $1 AND session_id = $2

-- name: get_session_as_of
-- $1 owner_id, $2 session_id, $3 the moment. Keys: pk_sessions, uq_messages_sequence. Counted are the messages that were
-- there: what stands in the row is of now.
SELECT session_id, coalesce(stood.messages, 0) AS message_count, metadata, recorded_at,
       greatest(recorded_at, stood.latest, CASE WHEN closed_at <= $3 THEN closed_at END) AS updated_at,
       stood.latest AS last_message_at, CASE WHEN closed_at <= $3 THEN closed_at END AS closed_at
FROM sessions
CROSS JOIN LATERAL (
    SELECT count(*) AS messages, max(messages.recorded_at) AS latest FROM messages
    WHERE messages.owner_id = $1 AND messages.session_id = sessions.session_id AND messages.recorded_at <= $3
      AND (retracted_at IS NULL OR retracted_at > $3)) AS stood
WHERE owner_id = $1 AND session_id = $2 AND recorded_at <= $3

-- name: list_sessions_as_of
-- As list_sessions; $5 the moment. Keys: pk_sessions, uq_messages_sequence. The messages of those sessions are read that
-- went on after the moment.
SELECT * FROM (
    SELECT session_id, CASE WHEN last_message_at > $5 THEN stood.messages ELSE message_count END AS message_count, metadata,
           recorded_at, greatest(recorded_at, CASE WHEN last_message_at > $5 THEN stood.latest ELSE last_message_at END,
                                 CASE WHEN closed_at <= $5 THEN closed_at END) AS updated_at,
           CASE WHEN last_message_at > $5 THEN stood.latest ELSE last_message_at END AS last_message_at,
           CASE WHEN closed_at <= $5 THEN closed_at END AS closed_at
    FROM sessions
    CROSS JOIN LATERAL (
        SELECT count(*) AS messages, max(messages.recorded_at) AS latest FROM messages
        WHERE sessions.last_message_at > $5 AND messages.owner_id = $1 AND messages.session_id = sessions.session_id
          AND messages.recorded_at <= $5 AND (retracted_at IS NULL OR retracted_at > $5)) AS stood
    WHERE owner_id = $1 AND recorded_at <= $5) AS known
WHERE (coalesce(last_message_at, recorded_at), session_id) < (coalesce($2::timestamptz, 'infinity'), coalesce($3::text, ''))
ORDER BY coalesce(last_message_at, recorded_at) DESC, session_id DESC
LIMIT $4

-- name: list_sessions
-- $1 owner_id, $2 and $3 the last row's latest and session_id (null: from the start), $4 how many.
-- Key: ix_sessions_owner_latest.
SELECT session_id, message_count, metadata, recorded_at, updated_at, last_message_at, closed_at
FROM sessions
WHERE owner_id = $1
  AND (coalesce(last_message_at, recorded_at), session_id) < (coalesce($2::timestamptz, 'infinity'), coalesce($3::text, ''))
ORDER BY coalesce(last_message_at, recorded_at) DESC, session_id DESC
LIMIT $4

-- name: reserve_sequences
-- $1 owner_id; arrays, one entry a session: $2 session_id, $3 how many messages come. Key: pk_sessions.
-- Makes the sessions that are missing, numbered in the order given, and keeps all of them locked, in the order of their
-- ids and after the numbers, so that two batches never wait for each other. A closed session gives no row.
WITH given AS (
    SELECT session_id, messages, position
    FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS given (session_id, messages, position)
), known AS (
    SELECT session_id, number FROM sessions WHERE owner_id = $1 AND session_id = ANY ($2::text[])
), missing AS (
    SELECT session_id, row_number() OVER (ORDER BY position DESC) - 1 AS before_last
    FROM given WHERE session_id NOT IN (SELECT session_id FROM known)
), numbered AS (
    INSERT INTO numbers (owner_id, counted, last_number)
    SELECT $1, 'session', count(*) FROM missing HAVING count(*) > 0
    ON CONFLICT (owner_id, counted) DO UPDATE SET last_number = numbers.last_number + excluded.last_number
    RETURNING last_number
)
INSERT INTO sessions (owner_id, session_id, number, message_count, last_message_at)
SELECT $1, session_id, coalesce(known.number, last_number - before_last), messages, now()
FROM given LEFT JOIN known USING (session_id) LEFT JOIN missing USING (session_id) LEFT JOIN numbered ON true
ORDER BY session_id
ON CONFLICT (owner_id, session_id) DO UPDATE
    SET message_count = sessions.message_count + excluded.message_count,
        last_message_at = greatest(sessions.last_message_at, now()), updated_at = greatest(sessions.updated_at, now())
    WHERE sessions.closed_at IS NULL
RETURNING session_id, number, message_count, extraction_queued, idle_queued

-- name: mark_queued
-- $1 owner_id, $2 session_id[], $3 whether a job waits for them. Key: pk_sessions.
UPDATE sessions SET extraction_queued = $3 WHERE owner_id = $1 AND session_id = ANY ($2::text[])

-- name: mark_idle
-- $1 owner_id, $2 session_id[], $3 whether a job waits for silence in them. Key: pk_sessions.
UPDATE sessions SET idle_queued = $3 WHERE owner_id = $1 AND session_id = ANY ($2::text[])

-- name: lock_pending
-- $1 owner_id, $2 session_id (empty: any), $3 the last row's session_id (empty: from the start), $4 how many.
-- Keys: pk_sessions in its order, ix_messages_unextracted.
SELECT session_id FROM sessions
WHERE owner_id = $1 AND ($2 = '' OR session_id = $2) AND session_id > $3
  AND EXISTS (SELECT FROM messages WHERE messages.owner_id = $1 AND messages.session_id = sessions.session_id
              AND extraction_state = 'pending')
ORDER BY session_id LIMIT $4 FOR UPDATE

-- name: lock_session
-- $1 owner_id, $2 session_id. Key: pk_sessions.
SELECT closed_at IS NOT NULL AS closed, extraction_queued,
       coalesce(extract(epoch FROM now() - last_message_at), 0)::double precision AS silent_seconds
FROM sessions
WHERE owner_id = $1 AND session_id = $2 FOR UPDATE

-- name: close_session
-- $1 owner_id, $2 session_id. Key: pk_sessions.
UPDATE sessions SET closed_at = now(), updated_at = now() WHERE owner_id = $1 AND session_id = $2
