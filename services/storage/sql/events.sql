-- Events. A reader's place is (txid, sequence); it reads only what was written by transactions older than every one
-- that is still under way (pg_snapshot_xmin): nothing can be committed behind its place any more.

-- name: insert_events
-- $1 owner_id; arrays, one entry an event: $2 event_id, $3 kind, $4 details (JSON text). Keys: pk_users, pk_events.
-- Tells those who listen, once this transaction commits.
WITH written AS (
    INSERT INTO events (owner_id, tenant_id, user_id, event_id, kind, details)
    SELECT users.owner_id, users.tenant_id, users.user_id, given.event_id, given.kind, given.details::jsonb
    FROM users, unnest($2::uuid[], $3::text[], $4::text[]) WITH ORDINALITY AS given (event_id, kind, details, n)
    WHERE users.owner_id = $1 ORDER BY given.n
    RETURNING tenant_id)
SELECT pg_notify('mnema_events', tenant_id || ' ' || $1::uuid) FROM (SELECT DISTINCT tenant_id FROM written) AS told

-- name: hold_users
-- $1 owner_id[]. Nobody erases these users until the transaction ends (services/runtime/opening.py). In one order, so that
-- no two wait for each other.
SELECT pg_advisory_xact_lock_shared(hashtextextended(owner_id::text, 2))
FROM (SELECT DISTINCT owner_id FROM unnest($1::uuid[]) AS given (owner_id) ORDER BY owner_id) AS users

-- name: insert_call_events
-- $1 tenant_id; arrays, one entry an event: $2 owner_id, $3 event_id, $4 kind, $5 details (JSON text), $6 recorded_at.
-- Keys: pk_users, pk_events. Of a tenant that acts for no single user, behind hold_users. What was called for somebody who
-- is not there, or is no longer, is told as the tenant's own and names nobody.
WITH written AS (
    INSERT INTO events (owner_id, tenant_id, user_id, event_id, kind, details, recorded_at)
    SELECT coalesce(users.owner_id, $1), $1, coalesce(users.user_id, ''), event_id, kind, details::jsonb, given.recorded_at
    FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[]) WITH ORDINALITY
        AS given (owner_id, event_id, kind, details, recorded_at, n)
    LEFT JOIN users USING (owner_id)
    ORDER BY n
    RETURNING owner_id)
SELECT pg_notify('mnema_events', $1::uuid || ' ' || owner_id) FROM (SELECT DISTINCT owner_id FROM written) AS told

-- name: read_owner_events
-- $1 owner_id, $2 and $3 the place (txid, sequence), $4 kind[], $5 how many, $6 how many are looked at for that.
-- Key: pk_events.
-- At least one row: one without an event says how far the reader may go.
WITH horizon AS MATERIALIZED (
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next),
scanned AS MATERIALIZED (
    SELECT txid, sequence, event_id, user_id, kind, details, recorded_at FROM events
    WHERE owner_id = $1 AND (txid, sequence) > ($2, $3) AND txid < (SELECT oldest FROM horizon)
    ORDER BY txid, sequence LIMIT $6),
found AS (SELECT * FROM scanned WHERE kind = ANY ($4::text[]) ORDER BY txid, sequence LIMIT $5)
SELECT oldest, next, now() AS read_at,
       EXISTS (SELECT FROM events
               WHERE owner_id = $1 AND (txid, sequence) > ($2, $3) AND txid >= oldest
                 AND kind = ANY ($4::text[])) AS pending,
       (SELECT count(*) FROM scanned) AS scanned,
       last.txid AS last_txid, last.sequence AS last_sequence, last.recorded_at AS last_at,
       found.*
FROM horizon
LEFT JOIN (SELECT txid, sequence, recorded_at FROM scanned ORDER BY txid DESC, sequence DESC LIMIT 1) AS last ON true
LEFT JOIN found ON true
ORDER BY found.txid, found.sequence

-- name: read_tenant_events
-- As read_owner_events; $1 tenant_id. Key: ix_events_tenant.
WITH horizon AS MATERIALIZED (
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next),
scanned AS MATERIALIZED (
    SELECT txid, sequence, event_id, user_id, kind, details, recorded_at FROM events
    WHERE tenant_id = $1 AND (txid, sequence) > ($2, $3) AND txid < (SELECT oldest FROM horizon)
    ORDER BY txid, sequence LIMIT $6),
found AS (SELECT * FROM scanned WHERE kind = ANY ($4::text[]) ORDER BY txid, sequence LIMIT $5)
SELECT oldest, next, now() AS read_at,
       EXISTS (SELECT FROM events
               WHERE tenant_id = $1 AND (txid, sequence) > ($2, $3) AND txid >= oldest
                 AND kind = ANY ($4::text[])) AS pending,
       (SELECT count(*) FROM scanned) AS scanned,
       last.txid AS last_txid, last.sequence AS last_sequence, last.recorded_at AS last_at,
       found.*
FROM horizon
LEFT JOIN (SELECT txid, sequence, recorded_at FROM scanned ORDER BY txid DESC, sequence DESC LIMIT 1) AS last ON true
LEFT JOIN found ON true
ORDER BY found.txid, found.sequence

-- name: get_horizon
-- The place from which nothing that is committed from now on is missed.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest, now() AS read_at

-- name: purge_events
-- $1 how long they are kept (interval), $2 how many at most. Key: ix_events_age. The oldest first.
WITH old AS (
    SELECT owner_id, txid, sequence FROM events WHERE recorded_at < now() - $1::interval
    ORDER BY recorded_at LIMIT $2)
DELETE FROM events USING old
WHERE events.owner_id = old.owner_id AND events.txid = old.txid AND events.sequence = old.sequence
