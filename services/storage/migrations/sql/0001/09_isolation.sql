-- The wall between users, kept by the database. A transaction says whom it acts for (services/runtime/scope.py); a
-- setting that was forgotten is '' or null, equals nothing, and shows no rows. FORCE: it holds for the tables' owner too.

DO $$
DECLARE
    owned text;
    owner_is  constant text := 'owner_id = nullif(current_setting(''mnema.owner'', true), '''')::uuid';
    tenant_is constant text := 'tenant_id = nullif(current_setting(''mnema.tenant'', true), '''')::uuid';
    -- A tenant as such: of a tenant, and not on behalf of one of its users.
    no_owner  constant text := 'coalesce(current_setting(''mnema.owner'', true), '''') = ''''';
    admin     constant text := 'current_setting(''mnema.admin'', true) = ''on''';
    queue     constant text := 'current_setting(''mnema.queue'', true) = ''on''';
BEGIN
    FOREACH owned IN ARRAY ARRAY[
        'sessions', 'messages', 'extractions', 'memories', 'memory_accesses', 'pathways', 'digests', 'emotion_profiles',
        'search_items', 'postings', 'graph_nodes', 'graph_edges', 'key_values', 'documents', 'chunks'
    ] LOOP
        EXECUTE format('CREATE POLICY by_owner ON %I USING (%s) WITH CHECK (%s)', owned, owner_is, owner_is);
    END LOOP;

    EXECUTE format('CREATE POLICY by_tenant ON tenants USING (%s OR (%s AND %s))', admin, tenant_is, no_owner);
    -- A user's own transaction may read its tenant's settings.
    EXECUTE format('CREATE POLICY read_own_tenant ON tenants FOR SELECT USING (%s)', tenant_is);
    EXECUTE format('CREATE POLICY by_tenant_or_owner ON users USING (%s OR (%s AND %s) OR %s)', owner_is, tenant_is, no_owner, admin);
    EXECUTE format('CREATE POLICY by_tenant ON api_keys USING (%s OR (%s AND %s))', admin, tenant_is, no_owner);
    -- Authentication reads exactly the key whose hash it holds.
    EXECUTE 'CREATE POLICY by_hash ON api_keys FOR SELECT '
            'USING (key_hash = nullif(current_setting(''mnema.key_hash'', true), ''''))';
    EXECUTE format('CREATE POLICY by_owner_or_tenant ON write_requests USING (%s OR (%s AND %s) OR %s)',
                   owner_is, replace(tenant_is, 'tenant_id', 'owner_id'), no_owner, admin);

    -- No user's data: every transaction may read which models there are.
    EXECUTE 'CREATE POLICY read_all ON embedding_spaces FOR SELECT USING (true)';

    -- Jobs name their owner in the payload; only the queue's own transactions see them.
    FOREACH owned IN ARRAY ARRAY['pgqueuer', 'pgqueuer_log', 'pgqueuer_schedules', 'pgqueuer_statistics'] LOOP
        EXECUTE format('CREATE POLICY by_queue ON %I USING (%s) WITH CHECK (%s)', owned, queue, queue);
    END LOOP;

    FOR owned IN
        SELECT tablename FROM pg_tables WHERE schemaname = 'public'
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', owned);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', owned);
    END LOOP;
END
$$;

-- Makes the vector table of a new embedding space, walled like every other. Called by `mnema migrate` as the tables' owner.
CREATE FUNCTION create_embedding_space(space_model text, space_dims integer) RETURNS smallint
LANGUAGE plpgsql AS $$
DECLARE
    made smallint;
    vectors text;
BEGIN
    SELECT space_id INTO made FROM embedding_spaces WHERE model = space_model AND dims = space_dims;
    IF made IS NOT NULL THEN
        RETURN made;
    END IF;
    vectors := 'vectors_' || nextval(pg_get_serial_sequence('embedding_spaces', 'space_id'));
    INSERT INTO embedding_spaces (space_id, model, dims, table_name, active)
        OVERRIDING SYSTEM VALUE
        VALUES (replace(vectors, 'vectors_', '')::smallint, space_model, space_dims, vectors,
                NOT EXISTS (SELECT FROM embedding_spaces WHERE active))
        RETURNING space_id INTO made;
    EXECUTE format(
        'CREATE TABLE %I (owner_id uuid NOT NULL, item_id uuid NOT NULL, embedding halfvec(%s) NOT NULL, '
        'CONSTRAINT %I PRIMARY KEY (owner_id, item_id))', vectors, space_dims, 'pk_' || vectors);
    EXECUTE format('ALTER TABLE %I SET (autovacuum_vacuum_insert_scale_factor = 0.05)', vectors);
    EXECUTE format(
        'CREATE POLICY by_owner ON %I USING (owner_id = nullif(current_setting(''mnema.owner'', true), '''')::uuid)', vectors);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', vectors);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', vectors);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mnema_service', vectors);
    RETURN made;
END
$$;
REVOKE ALL ON FUNCTION create_embedding_space FROM PUBLIC;
-- The tables' owner is under the wall as well: it may register spaces, and nothing else.
CREATE POLICY register ON embedding_spaces TO CURRENT_USER USING (true) WITH CHECK (true);
-- The schema's own revision: services read it when they start, migrations write it.
CREATE POLICY read_all ON alembic_version FOR SELECT USING (true);
CREATE POLICY migrate ON alembic_version TO CURRENT_USER USING (true) WITH CHECK (true);

GRANT USAGE ON SCHEMA public TO mnema_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO mnema_service;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO mnema_service;
REVOKE INSERT, UPDATE, DELETE ON embedding_spaces, alembic_version FROM mnema_service;
