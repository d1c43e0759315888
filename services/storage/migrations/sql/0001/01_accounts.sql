-- Who may do what. Tenant-level tables are open to a transaction of the tenant that acts for no single user;
-- a transaction that acts for one user sees that user's row alone.

CREATE TABLE tenants (
    tenant_id   uuid        NOT NULL CONSTRAINT pk_tenants PRIMARY KEY,
    name        text        NOT NULL,
    settings    jsonb       NOT NULL DEFAULT '{}',
    recorded_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
    owner_id    uuid        NOT NULL CONSTRAINT pk_users PRIMARY KEY,
    tenant_id   uuid        NOT NULL CONSTRAINT fk_users_tenant REFERENCES tenants,
    user_id     text        NOT NULL,
    settings    jsonb       NOT NULL DEFAULT '{}',
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT uq_users_tenant_user UNIQUE (tenant_id, user_id)
);

CREATE TABLE api_keys (
    key_id      uuid        NOT NULL CONSTRAINT pk_api_keys PRIMARY KEY,
    kind        text        NOT NULL CONSTRAINT ck_api_keys_kind CHECK (kind IN ('admin', 'tenant', 'user')),
    tenant_id   uuid        CONSTRAINT fk_api_keys_tenant REFERENCES tenants,
    user_id     text,
    name        text        NOT NULL DEFAULT '',
    key_hash    text        NOT NULL CONSTRAINT uq_api_keys_hash UNIQUE,
    prefix      text        NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    revoked_at  timestamptz,
    CONSTRAINT ck_api_keys_scope CHECK (
        (kind = 'admin' AND tenant_id IS NULL AND user_id IS NULL)
        OR (kind = 'tenant' AND tenant_id IS NOT NULL AND user_id IS NULL)
        OR (kind = 'user' AND tenant_id IS NOT NULL AND user_id IS NOT NULL))
);
CREATE INDEX ix_api_keys_tenant ON api_keys (tenant_id, recorded_at DESC, key_id DESC);

-- The answers of writes that carried a request_id. owner_id is the user's key, or for calls of a tenant as such its id.
CREATE TABLE write_requests (
    owner_id    uuid        NOT NULL,
    request_id  uuid        NOT NULL,
    method      text        NOT NULL,
    body_hash   bytea       NOT NULL,
    response    bytea,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_write_requests PRIMARY KEY (owner_id, request_id)
);
CREATE INDEX ix_write_requests_age ON write_requests (owner_id, recorded_at);
