-- Tenants, users and API keys.

-- name: insert_tenant
-- $1 tenant_id, $2 name.
INSERT INTO tenants (tenant_id, name) VALUES ($1, $2)
RETURNING tenant_id, name, recorded_at

-- name: get_tenant
-- $1 tenant_id. Key: pk_tenants.
SELECT tenant_id, name, recorded_at FROM tenants WHERE tenant_id = $1

-- name: find_tenant
-- $1 name. The oldest of that name; small table, administrators' use.
SELECT tenant_id, name, recorded_at FROM tenants WHERE name = $1 ORDER BY recorded_at, tenant_id LIMIT 1

-- name: list_tenants
-- $1, $2 the cursor's recorded_at and tenant_id (null: from the start), $3 limit.
SELECT tenant_id, name, recorded_at FROM tenants
WHERE $1::timestamptz IS NULL OR (recorded_at, tenant_id) > ($1, $2::uuid)
ORDER BY recorded_at, tenant_id LIMIT $3

-- name: insert_user
-- $1 owner_id, $2 tenant_id, $3 user_id. No row if there is one already.
INSERT INTO users (owner_id, tenant_id, user_id) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING owner_id, user_id, recorded_at

-- name: get_user
-- $1 owner_id. Key: pk_users.
SELECT owner_id, user_id, recorded_at FROM users WHERE owner_id = $1

-- name: list_users
-- $1 tenant_id, $2 the cursor's user_id (null: from the start), $3 limit. Key: uq_users_tenant_user.
SELECT owner_id, user_id, recorded_at FROM users
WHERE tenant_id = $1 AND ($2::text IS NULL OR user_id > $2)
ORDER BY user_id LIMIT $3

-- name: insert_key
-- $1 key_id, $2 kind, $3 tenant_id, $4 user_id, $5 name, $6 key_hash, $7 prefix, $8 expires_at.
INSERT INTO api_keys (key_id, kind, tenant_id, user_id, name, key_hash, prefix, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING key_id, kind, tenant_id, user_id, name, prefix, recorded_at, expires_at, revoked_at

-- name: list_keys
-- $1 tenant_id (null: the admin keys), $2, $3 the cursor (null: from the newest), $4 limit. Key: ix_api_keys_tenant.
SELECT key_id, kind, tenant_id, user_id, name, prefix, recorded_at, expires_at, revoked_at FROM api_keys
WHERE (tenant_id = $1 OR ($1::uuid IS NULL AND tenant_id IS NULL))
  AND ($2::timestamptz IS NULL OR (recorded_at, key_id) < ($2, $3::uuid))
ORDER BY recorded_at DESC, key_id DESC LIMIT $4

-- name: revoke_key
-- $1 key_id, $2 tenant_id (null: an admin key). The first revocation's time stays.
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now())
WHERE key_id = $1 AND (tenant_id = $2 OR ($2::uuid IS NULL AND tenant_id IS NULL))
RETURNING key_id, kind, tenant_id, user_id, name, prefix, recorded_at, expires_at, revoked_at

-- name: find_key
-- $1 key_hash. Key: uq_api_keys_hash; visible by the policy by_hash.
SELECT key_id, kind, tenant_id, user_id, revoked_at IS NOT NULL AS revoked,
       expires_at IS NOT NULL AND expires_at <= now() AS expired
FROM api_keys WHERE key_hash = $1
