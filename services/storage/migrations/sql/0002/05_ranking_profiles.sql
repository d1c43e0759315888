-- The ways to rank that a tenant has made. The built-in ones are the program's and have no row.

CREATE TABLE ranking_profiles (
    tenant_id   uuid        NOT NULL CONSTRAINT fk_ranking_profiles_tenant REFERENCES tenants,
    name        text        COLLATE "C" NOT NULL,
    -- What services/vector/profiles.py writes: signals, factors, fusion, description.
    body        jsonb       NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_ranking_profiles PRIMARY KEY (tenant_id, name)
);

DO $$
DECLARE
    tenant_is constant text := 'tenant_id = nullif(current_setting(''mnema.tenant'', true), '''')::uuid';
    no_owner  constant text := 'coalesce(current_setting(''mnema.owner'', true), '''') = ''''';
BEGIN
    EXECUTE format('CREATE POLICY by_tenant ON ranking_profiles USING (%1$s AND %2$s) WITH CHECK (%1$s AND %2$s)',
                   tenant_is, no_owner);
    -- A user's search is ranked by its tenant's profiles.
    EXECUTE format('CREATE POLICY read_own_tenant ON ranking_profiles FOR SELECT USING (%s)', tenant_is);
END
$$;
ALTER TABLE ranking_profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE ranking_profiles FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON ranking_profiles TO mnema_service;
