-- Telling the other processes of an installation.

-- name: announce
-- $1 channel, $2 what is said, at most 8,000 bytes. Heard when the transaction commits, by whoever listens then.
SELECT pg_notify($1, $2)
