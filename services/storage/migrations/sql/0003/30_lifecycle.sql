-- Receipts of erased users. They outlive the user's data and are no part of them: the tenant's, and no row names the user.

CREATE TABLE deletions (
    tenant_id       uuid        NOT NULL CONSTRAINT fk_deletions_tenant REFERENCES tenants,
    deletion_id     uuid        NOT NULL,
    -- SHA-256 of the owner's id: who asks for the receipt of a user knows the user.
    owner_hash      bytea       NOT NULL,
    -- Rows by table.
    counts          jsonb       NOT NULL DEFAULT '{}',
    objects_deleted bigint      NOT NULL DEFAULT 0,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    CONSTRAINT pk_deletions PRIMARY KEY (tenant_id, deletion_id)
);
CREATE INDEX ix_deletions_age ON deletions (tenant_id, recorded_at);

-- The bytes that a deletion has left to delete: rows go with them.
CREATE TABLE deletion_objects (
    tenant_id   uuid        NOT NULL,
    deletion_id uuid        NOT NULL,
    object_key  text        NOT NULL,
    -- Bytes of an upload that was under way may still become a file of the user's until then.
    due_at      timestamptz NOT NULL,
    CONSTRAINT pk_deletion_objects PRIMARY KEY (tenant_id, deletion_id, object_key),
    CONSTRAINT fk_deletion_objects_deletion FOREIGN KEY (tenant_id, deletion_id) REFERENCES deletions ON DELETE CASCADE
);
CREATE INDEX ix_deletion_objects_due ON deletion_objects (tenant_id, deletion_id, due_at);

DO $$
DECLARE
    walled text;
    tenant_is constant text := 'tenant_id = nullif(current_setting(''mnema.tenant'', true), '''')::uuid';
BEGIN
    FOREACH walled IN ARRAY ARRAY['deletions', 'deletion_objects'] LOOP
        EXECUTE format('CREATE POLICY by_tenant ON %I USING (%s) WITH CHECK (%s)', walled, tenant_is, tenant_is);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', walled);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', walled);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mnema_service', walled);
    END LOOP;
END
$$;
