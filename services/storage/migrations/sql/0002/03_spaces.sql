-- The tables of an embedding space. Of each vector there are two forms: itself, and the signs of its values (its code),
-- by which the nearest are found before they are compared exactly.

-- vectors_<n>: the vectors. codes_<n>: the codes of those that were stored last. segments_<n>: all other codes, packed;
-- a segment never changes, it is only replaced by one of another id.
CREATE FUNCTION create_space_tables(space smallint, space_dims integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    made text;
    owner_is constant text := 'owner_id = nullif(current_setting(''mnema.owner'', true), '''')::uuid';
BEGIN
    EXECUTE format(
        'CREATE TABLE vectors_%1$s (owner_id uuid NOT NULL, place bigint NOT NULL, embedding halfvec(%2$s) NOT NULL, '
        'CONSTRAINT pk_vectors_%1$s PRIMARY KEY (owner_id, place))', space, space_dims);
    -- A vector stands in its row as long as rows of a page hold it.
    EXECUTE format('ALTER TABLE vectors_%s ALTER COLUMN embedding SET STORAGE %s',
                   space, CASE WHEN space_dims * 2 < 7000 THEN 'PLAIN' ELSE 'EXTERNAL' END);
    EXECUTE format(
        'CREATE TABLE codes_%1$s (owner_id uuid NOT NULL, place bigint NOT NULL, code bytea NOT NULL, '
        'CONSTRAINT pk_codes_%1$s PRIMARY KEY (owner_id, place) INCLUDE (code))', space);
    EXECUTE format(
        'CREATE TABLE segments_%1$s (owner_id uuid NOT NULL, segment_id uuid NOT NULL, level smallint NOT NULL, '
        'first_place bigint NOT NULL, last_place bigint NOT NULL, places bytea NOT NULL, codes bytea NOT NULL, '
        'CONSTRAINT pk_segments_%1$s PRIMARY KEY (owner_id, segment_id))', space);
    EXECUTE format('ALTER TABLE segments_%s ALTER places SET STORAGE EXTERNAL, ALTER codes SET STORAGE EXTERNAL', space);
    FOREACH made IN ARRAY ARRAY['vectors_' || space, 'codes_' || space, 'segments_' || space] LOOP
        EXECUTE format('ALTER TABLE %I SET (autovacuum_vacuum_insert_scale_factor = 0.05)', made);
        EXECUTE format('CREATE POLICY by_owner ON %I USING (%s) WITH CHECK (%s)', made, owner_is, owner_is);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', made);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', made);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mnema_service', made);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION create_embedding_space(space_model text, space_dims integer) RETURNS smallint
LANGUAGE plpgsql AS $$
DECLARE
    made smallint;
BEGIN
    SELECT space_id INTO made FROM embedding_spaces WHERE model = space_model AND dims = space_dims;
    IF made IS NOT NULL THEN
        RETURN made;
    END IF;
    made := nextval(pg_get_serial_sequence('embedding_spaces', 'space_id'));
    INSERT INTO embedding_spaces (space_id, model, dims, table_name, active)
        OVERRIDING SYSTEM VALUE
        VALUES (made, space_model, space_dims, 'vectors_' || made, NOT EXISTS (SELECT FROM embedding_spaces WHERE active));
    PERFORM create_space_tables(made, space_dims);
    RETURN made;
END
$$;
REVOKE ALL ON FUNCTION create_space_tables FROM PUBLIC;

DO $$
DECLARE
    space record;
BEGIN
    FOR space IN SELECT space_id, dims, table_name FROM embedding_spaces LOOP
        EXECUTE format('DROP TABLE %I', space.table_name);
        PERFORM create_space_tables(space.space_id, space.dims);
    END LOOP;
END
$$;
