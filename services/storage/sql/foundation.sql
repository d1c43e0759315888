-- Locks, idempotency, embedding spaces and the registering of users: what every family of tables needs.

-- name: lock_owner
-- One writer at a time for what a user's memory consists of. Held until the transaction ends. What it records is recorded
-- at the moment at which it got the lock (record_time).
SELECT set_config('mnema.moment',
                  coalesce(nullif(current_setting('mnema.moment', true), ''), clock_timestamp()::text), true)
FROM pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0))

-- name: register_user
-- $1 owner_id, $2 tenant_id, $3 user_id. Key: pk_users. No row if the user is known.
INSERT INTO users (owner_id, tenant_id, user_id) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING

-- name: claim_request
-- $1 owner_id, $2 request_id, $3 method, $4 body_hash. Waits for a concurrent call of the same id to end.
INSERT INTO write_requests (owner_id, request_id, method, body_hash) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
RETURNING true

-- name: claim_requests
-- $1 owner_id; arrays, one entry a request: $2 request_id, $3 method, $4 body_hash. Gives the ids that were free. As
-- claim_request it waits for concurrent calls of these ids; in one order, so that no two wait for each other.
INSERT INTO write_requests (owner_id, request_id, method, body_hash)
SELECT $1, request_id, method, body_hash
FROM unnest($2::uuid[], $3::text[], $4::bytea[]) AS given (request_id, method, body_hash) ORDER BY request_id
ON CONFLICT DO NOTHING
RETURNING request_id

-- name: get_requests
-- $1 owner_id, $2 request_id[]. Key: pk_write_requests.
SELECT request_id, method, body_hash, response FROM write_requests
WHERE owner_id = $1 AND request_id = ANY ($2::uuid[])

-- name: answer_requests
-- $1 owner_id; arrays, one entry a request: $2 request_id, $3 response (serialised). Key: pk_write_requests.
UPDATE write_requests SET response = given.response
FROM unnest($2::uuid[], $3::bytea[]) AS given (request_id, response)
WHERE owner_id = $1 AND write_requests.request_id = given.request_id

-- name: get_request
-- $1 owner_id, $2 request_id. Key: pk_write_requests.
SELECT method, body_hash, response FROM write_requests WHERE owner_id = $1 AND request_id = $2

-- name: answer_request
-- $1 owner_id, $2 request_id, $3 response (serialised).
UPDATE write_requests SET response = $3 WHERE owner_id = $1 AND request_id = $2

-- name: purge_requests
-- $1 owner_id. At most 1,000 answers that are older than they are promised to be kept.
DELETE FROM write_requests
WHERE owner_id = $1 AND request_id IN (
    SELECT request_id FROM write_requests
    WHERE owner_id = $1 AND recorded_at < now() - interval '25 hours'
    ORDER BY recorded_at LIMIT 1000)

-- name: get_schema_revision
-- The newest migration that has run; every transaction may read it.
SELECT version_num::integer FROM alembic_version

-- name: get_active_space
SELECT space_id, model, dims, table_name FROM embedding_spaces WHERE active
