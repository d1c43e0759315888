-- The walls around what 0002 has made, as in 0001/09_isolation.sql.

DO $$
DECLARE
    owned text;
    owner_is constant text := 'owner_id = nullif(current_setting(''mnema.owner'', true), '''')::uuid';
BEGIN
    FOREACH owned IN ARRAY ARRAY['numbers', 'search_items', 'unit_terms', 'posting_blocks', 'packed_postings', 'unembedded',
                               'collection_sizes'] LOOP
        EXECUTE format('CREATE POLICY by_owner ON %I USING (%s) WITH CHECK (%s)', owned, owner_is, owner_is);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', owned);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', owned);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mnema_service', owned);
    END LOOP;
END
$$;
GRANT SELECT ON postings TO mnema_service;
