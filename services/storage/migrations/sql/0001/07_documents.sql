-- Files: what is known of them, and their text in chunks. The bytes are in the object storage under object_key.

CREATE TABLE documents (
    owner_id     uuid        NOT NULL CONSTRAINT fk_documents_owner REFERENCES users,
    file_id      uuid        NOT NULL,
    filename     text        NOT NULL,
    file_type    text        NOT NULL,
    mime_type    text        NOT NULL,
    size_bytes   bigint      NOT NULL CONSTRAINT ck_documents_size CHECK (size_bytes > 0),
    sha256       bytea       NOT NULL,
    -- Empty where no bytes are kept (made from text).
    object_key   text        NOT NULL DEFAULT '',
    category     text        NOT NULL DEFAULT 'general',
    tags         text[]      NOT NULL DEFAULT '{}',
    metadata     jsonb       NOT NULL DEFAULT '{}',
    source_type  text        NOT NULL CONSTRAINT ck_documents_source CHECK (source_type IN ('upload', 'text')),
    -- The whole text of a file that was made from text: it has no bytes elsewhere.
    source_text  text,
    chunk_count  integer     NOT NULL DEFAULT 0,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    retracted_at timestamptz,
    CONSTRAINT pk_documents PRIMARY KEY (owner_id, file_id)
);
CREATE INDEX ix_documents_owner_recorded ON documents (owner_id, recorded_at DESC, file_id DESC);

CREATE TABLE chunks (
    owner_id     uuid    NOT NULL,
    chunk_id     uuid    NOT NULL,
    file_id      uuid    NOT NULL,
    position     integer NOT NULL,
    content      text    NOT NULL,
    start_offset bigint  NOT NULL,
    end_offset   bigint  NOT NULL,
    page         integer NOT NULL DEFAULT 0,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    retracted_at timestamptz,
    CONSTRAINT pk_chunks PRIMARY KEY (owner_id, chunk_id),
    CONSTRAINT uq_chunks_position UNIQUE (owner_id, file_id, position),
    CONSTRAINT fk_chunks_document FOREIGN KEY (owner_id, file_id) REFERENCES documents ON DELETE CASCADE
);
