-- Options of tenants and users: jsonb objects of the fields that are set.

-- name: get_options
-- $1 tenant_id, $2 owner_id. Keys: pk_tenants, pk_users. Visible by read_own_tenant and by_tenant_or_owner.
SELECT (SELECT settings FROM tenants WHERE tenant_id = $1) AS of_tenant,
       (SELECT settings FROM users WHERE owner_id = $2) AS of_user

-- name: register_user_with_options
-- $1 owner_id, $2 tenant_id, $3 user_id. As foundation's register_user and get_options, in one round trip. Keys: pk_users,
-- pk_tenants.
WITH made AS (
    INSERT INTO users (owner_id, tenant_id, user_id) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING
)
SELECT (SELECT settings FROM tenants WHERE tenant_id = $2) AS of_tenant,
       (SELECT settings FROM users WHERE owner_id = $1) AS of_user

-- name: change_tenant_options
-- $1 tenant_id, $2 names to clear, $3 what to set. Key: pk_tenants. No row if there is no such tenant.
UPDATE tenants SET settings = (settings - $2::text[]) || $3::jsonb WHERE tenant_id = $1
RETURNING tenant_id

-- name: change_user_options
-- $1 owner_id, $2 names to clear, $3 what to set. Key: pk_users.
UPDATE users SET settings = (settings - $2::text[]) || $3::jsonb WHERE owner_id = $1
