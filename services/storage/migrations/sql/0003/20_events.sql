-- Events: what happened to a user's memory, for those who watch. Kept for some hours or days.

-- owner_id is the user's key, or for calls that a tenant made for no user the tenant's id. txid is that of the writing
-- transaction: sequences alone commit out of order, so readers go by (txid, sequence) and only as far as every
-- transaction has ended (services/storage/sql/events.sql).
CREATE TABLE events (
    owner_id    uuid        NOT NULL,
    tenant_id   uuid        NOT NULL,
    txid        bigint      NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    sequence    bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    event_id    uuid        NOT NULL,
    user_id     text        NOT NULL,
    kind        text        NOT NULL CONSTRAINT ck_events_kind
        CHECK (kind IN ('extraction', 'llm_call', 'embedding_call', 'digest', 'memory_changed')),
    details     jsonb       NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_events PRIMARY KEY (owner_id, txid, sequence)
);
CREATE INDEX ix_events_tenant ON events (tenant_id, txid, sequence);
CREATE INDEX ix_events_age ON events (recorded_at);
-- As many rows go as come.
ALTER TABLE events SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

DO $$
DECLARE
    owner_is  constant text := 'owner_id = nullif(current_setting(''mnema.owner'', true), '''')::uuid';
    tenant_is constant text := 'tenant_id = nullif(current_setting(''mnema.tenant'', true), '''')::uuid';
    no_owner  constant text := 'coalesce(current_setting(''mnema.owner'', true), '''') = ''''';
    queue     constant text := 'current_setting(''mnema.queue'', true) = ''on''';
BEGIN
    -- As on table users: an owner sees its own, a tenant that acts for no single user sees those of all.
    EXECUTE format('CREATE POLICY by_owner_or_tenant ON events USING (%1$s OR (%2$s AND %3$s)) '
                   'WITH CHECK (%1$s OR (%2$s AND %3$s))', owner_is, tenant_is, no_owner);
    -- The worker removes what is too old, whosever it is; it needs to see its age for that.
    EXECUTE format('CREATE POLICY see_to_purge ON events FOR SELECT USING (%s)', queue);
    EXECUTE format('CREATE POLICY purge ON events FOR DELETE USING (%s)', queue);
END
$$;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE events FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, DELETE ON events TO mnema_service;
