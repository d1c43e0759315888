-- The ways to rank that a tenant has made.

-- name: get_profile
-- $1 tenant_id, $2 name. Key: pk_ranking_profiles.
SELECT name, body, recorded_at FROM ranking_profiles WHERE tenant_id = $1 AND name = $2

-- name: list_profiles
-- $1 tenant_id. Key: pk_ranking_profiles.
SELECT name, body, recorded_at FROM ranking_profiles WHERE tenant_id = $1 ORDER BY name

-- name: lock_tenant
-- $1 tenant_id: one writer of its profiles at a time, so that they can be counted.
SELECT tenant_id FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE

-- name: put_profile
-- $1 tenant_id, $2 name, $3 body, $4 how many others there may be at most. No row: there are as many.
INSERT INTO ranking_profiles AS stored (tenant_id, name, body)
SELECT $1, $2, $3
WHERE (SELECT count(*) FROM ranking_profiles WHERE tenant_id = $1 AND name <> $2) <= $4
ON CONFLICT (tenant_id, name) DO UPDATE SET body = excluded.body, recorded_at = now()
RETURNING name, body, recorded_at

-- name: delete_profile
-- $1 tenant_id, $2 name. Key: pk_ranking_profiles.
DELETE FROM ranking_profiles WHERE tenant_id = $1 AND name = $2 RETURNING name
