-- What can be found, by words and by meaning. All of it is derived from messages, memories and chunks.

DROP TABLE postings, search_items;

-- One row a unit: a passage of a message or a memory, a chunk of a file. Several units of one long text share its item_id.
CREATE TABLE search_items (
    owner_id     uuid        NOT NULL,
    -- services/storage/places.py: kind, session, sequence, part.
    place        bigint      NOT NULL CONSTRAINT ck_search_items_place CHECK (place >= 0),
    -- memories.item_id, messages.message_id or chunks.chunk_id
    item_id      uuid        NOT NULL,
    event_at     timestamptz,
    -- When the thing was first stored: for a memory, its first revision.
    created_at   timestamptz NOT NULL DEFAULT now(),
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    retracted_at timestamptz,
    -- How many terms it has: the document length of BM25.
    length       integer     NOT NULL,
    -- Its characters in the whole text: [start, end).
    start_offset integer     NOT NULL DEFAULT 0,
    end_offset   integer     NOT NULL DEFAULT 0,
    -- Bit flags of what the text is like.
    traits       smallint    NOT NULL DEFAULT 0,
    memory_type  text,
    speaker      text        NOT NULL DEFAULT '',
    kind         text        GENERATED ALWAYS AS (
        CASE place >> 61 WHEN 0 THEN 'message' WHEN 2 THEN 'chunk' ELSE 'memory' END) VIRTUAL,
    CONSTRAINT pk_search_items PRIMARY KEY (owner_id, place)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05, fillfactor = 95);
CREATE INDEX ix_search_items_item ON search_items (owner_id, item_id);
-- What searches of the present have to leave out.
CREATE INDEX ix_search_items_retracted ON search_items (owner_id, place) WHERE retracted_at IS NOT NULL;

-- The inverted index, a log-structured merge: the terms of the units that came last, a row a unit; and all others by
-- term, packed into blocks that never change but are replaced (services/storage/postings.py).
CREATE TABLE unit_terms (
    owner_id    uuid       NOT NULL,
    place       bigint     NOT NULL,
    -- The unit's, so that scoring needs no other table.
    length      integer    NOT NULL,
    terms       text[]     COLLATE "C" NOT NULL,
    frequencies smallint[] NOT NULL,
    CONSTRAINT pk_unit_terms PRIMARY KEY (owner_id, place)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE TABLE posting_blocks (
    owner_id    uuid     NOT NULL,
    block_id    uuid     NOT NULL,
    level       smallint NOT NULL,
    first_place bigint   NOT NULL,
    last_place  bigint   NOT NULL,
    CONSTRAINT pk_posting_blocks PRIMARY KEY (owner_id, block_id)
);

-- Of one term the postings in one block and of one kind of place, each 14 bytes: place (8), frequency (2), length (4),
-- big-endian. One search reads a row a block and term.
CREATE TABLE packed_postings (
    owner_id uuid     NOT NULL,
    block_id uuid     NOT NULL,
    term     text     COLLATE "C" NOT NULL,
    kind     smallint NOT NULL,
    packed   bytea    STORAGE EXTERNAL NOT NULL,
    CONSTRAINT pk_packed_postings PRIMARY KEY (owner_id, block_id, term, kind)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- Both, a row a posting: to look into the index, not to search it.
CREATE VIEW postings WITH (security_invoker = true) AS
SELECT owner_id, term, place, frequency, length
FROM unit_terms, unnest(terms, frequencies) AS held (term, frequency)
UNION ALL
SELECT owner_id, term, substring(packed FROM at + 1 FOR 8)::bigint, substring(packed FROM at + 9 FOR 2)::smallint,
       substring(packed FROM at + 11 FOR 4)::integer
FROM packed_postings, generate_series(0, octet_length(packed) - 14, 14) AS at;

-- Units without a vector in the active embedding space.
CREATE TABLE unembedded (
    owner_id uuid   NOT NULL,
    place    bigint NOT NULL,
    CONSTRAINT pk_unembedded PRIMARY KEY (owner_id, place)
);

-- How many units stand and how many terms they have, exactly: the sum of a user's rows. A writer takes a row that no
-- other transaction holds, or makes one, so writers of one user never wait for each other here.
CREATE TABLE collection_sizes (
    owner_id        uuid    NOT NULL,
    slot            bigint  NOT NULL,
    messages        bigint  NOT NULL DEFAULT 0,
    messages_length bigint  NOT NULL DEFAULT 0,
    memories        bigint  NOT NULL DEFAULT 0,
    memories_length bigint  NOT NULL DEFAULT 0,
    chunks          bigint  NOT NULL DEFAULT 0,
    chunks_length   bigint  NOT NULL DEFAULT 0,
    CONSTRAINT pk_collection_sizes PRIMARY KEY (owner_id, slot)
) WITH (fillfactor = 50);

CREATE FUNCTION count_units() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change record;
BEGIN
    -- plpgsql plans a statement when it first runs: each branch meets the tables that its trigger has.
    IF TG_OP = 'INSERT' THEN
        FOR change IN
            SELECT owner_id, place >> 61 AS kind, count(*) AS units, sum(length) AS terms
            FROM added WHERE retracted_at IS NULL GROUP BY 1, 2
        LOOP
            PERFORM add_to_collection(change.owner_id, change.kind, change.units, change.terms);
        END LOOP;
    ELSIF TG_OP = 'DELETE' THEN
        FOR change IN
            SELECT owner_id, place >> 61 AS kind, -count(*) AS units, -sum(length) AS terms
            FROM removed WHERE retracted_at IS NULL GROUP BY 1, 2
        LOOP
            PERFORM add_to_collection(change.owner_id, change.kind, change.units, change.terms);
        END LOOP;
    ELSE
        FOR change IN
            SELECT owner_id, kind, sum(units) AS units, sum(terms) AS terms
            FROM (SELECT owner_id, place >> 61 AS kind, 1 AS units, length AS terms FROM added WHERE retracted_at IS NULL
                  UNION ALL
                  SELECT owner_id, place >> 61, -1, -length FROM removed WHERE retracted_at IS NULL) AS moved
            GROUP BY 1, 2 HAVING sum(units) <> 0 OR sum(terms) <> 0
        LOOP
            PERFORM add_to_collection(change.owner_id, change.kind, change.units, change.terms);
        END LOOP;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION add_to_collection(owner uuid, place_kind bigint, units bigint, terms bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    chosen bigint;
BEGIN
    SELECT slot INTO chosen FROM collection_sizes WHERE owner_id = owner LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    IF chosen IS NULL THEN
        chosen := random(-9223372036854775807, 9223372036854775807);
        INSERT INTO collection_sizes (owner_id, slot) VALUES (owner, chosen);
    END IF;
    UPDATE collection_sizes SET
        messages = messages + CASE place_kind WHEN 0 THEN units ELSE 0 END,
        messages_length = messages_length + CASE place_kind WHEN 0 THEN terms ELSE 0 END,
        memories = memories + CASE WHEN place_kind IN (1, 3) THEN units ELSE 0 END,
        memories_length = memories_length + CASE WHEN place_kind IN (1, 3) THEN terms ELSE 0 END,
        chunks = chunks + CASE place_kind WHEN 2 THEN units ELSE 0 END,
        chunks_length = chunks_length + CASE place_kind WHEN 2 THEN terms ELSE 0 END
    WHERE owner_id = owner AND slot = chosen;
END
$$;

CREATE TRIGGER count_added AFTER INSERT ON search_items
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_units();
CREATE TRIGGER count_removed AFTER DELETE ON search_items
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_units();
CREATE TRIGGER count_changed AFTER UPDATE ON search_items
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_units();
