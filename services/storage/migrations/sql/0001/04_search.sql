-- What can be found, by words and by meaning: memories, messages and file chunks alike, each an item.

CREATE TABLE search_items (
    owner_id     uuid        NOT NULL CONSTRAINT fk_search_items_owner REFERENCES users,
    -- memories.item_id, messages.message_id or chunks.chunk_id
    item_id      uuid        NOT NULL,
    kind         text        NOT NULL CONSTRAINT ck_search_items_kind CHECK (kind IN ('memory', 'message', 'chunk')),
    memory_type  text,
    -- How many terms it has: the document length of BM25.
    length       integer     NOT NULL,
    -- True once its vector is in the active embedding space.
    embedded     boolean     NOT NULL DEFAULT false,
    event_at     timestamptz,
    -- When the thing was first stored: for a memory, its first revision.
    created_at   timestamptz NOT NULL DEFAULT now(),
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    retracted_at timestamptz,
    CONSTRAINT pk_search_items PRIMARY KEY (owner_id, item_id)
);
CREATE INDEX ix_search_items_unembedded ON search_items (owner_id, recorded_at, item_id) WHERE NOT embedded;

-- The inverted index: one user's search is a contiguous range of the key for each term.
CREATE TABLE postings (
    owner_id  uuid     NOT NULL,
    term      text     NOT NULL,
    item_id   uuid     NOT NULL,
    frequency smallint NOT NULL,
    CONSTRAINT pk_postings PRIMARY KEY (owner_id, term, item_id) INCLUDE (frequency)
);

-- One row an embedding model and dimension; its vectors stand in the table that it names. At most one space is active.
CREATE TABLE embedding_spaces (
    space_id    smallint    NOT NULL GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_embedding_spaces PRIMARY KEY,
    model       text        NOT NULL,
    dims        integer     NOT NULL CONSTRAINT ck_embedding_spaces_dims CHECK (dims BETWEEN 1 AND 4000),
    table_name  text        NOT NULL CONSTRAINT uq_embedding_spaces_table UNIQUE,
    active      boolean     NOT NULL DEFAULT false,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT uq_embedding_spaces_model UNIQUE (model, dims)
);
CREATE UNIQUE INDEX uq_embedding_spaces_active ON embedding_spaces (active) WHERE active;

-- Insert-heavy tables: vacuum early, so that index-only scans find the visibility map up to date.
ALTER TABLE postings SET (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE search_items SET (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05, fillfactor = 85);
