-- What is remembered. A row is one revision and never changes but for being retracted; memory_id names it through all
-- of them, item_id names the one.

CREATE TABLE memories (
    owner_id           uuid        NOT NULL CONSTRAINT fk_memories_owner REFERENCES users,
    item_id            uuid        NOT NULL,
    memory_id          uuid        NOT NULL,
    revision           integer     NOT NULL DEFAULT 1,
    memory_type        text        NOT NULL CONSTRAINT ck_memories_type CHECK (memory_type IN (
        'fact', 'episodic', 'insight', 'general', 'preference', 'decision', 'todo', 'context', 'instruction', 'error', 'workflow', 'reference')),
    content            text        NOT NULL,
    importance         smallint    CONSTRAINT ck_memories_importance CHECK (importance BETWEEN 1 AND 10),
    confidence         double precision CONSTRAINT ck_memories_confidence CHECK (confidence BETWEEN 0 AND 1),
    emotion_valence    double precision CONSTRAINT ck_memories_valence CHECK (emotion_valence BETWEEN -1 AND 1),
    emotion_arousal    double precision CONSTRAINT ck_memories_arousal CHECK (emotion_arousal BETWEEN 0 AND 1),
    emotion_label      text,
    slot               text        NOT NULL DEFAULT '',
    category           text        NOT NULL DEFAULT '',
    tags               text[]      NOT NULL DEFAULT '{}',
    entities           text[]      NOT NULL DEFAULT '{}',
    metadata           jsonb       NOT NULL DEFAULT '{}',
    source_message_ids uuid[]      NOT NULL DEFAULT '{}',
    source_memory_ids  uuid[]      NOT NULL DEFAULT '{}',
    extraction_id      uuid,
    -- The digest that has read it; null: none has yet.
    digest_id          uuid,
    -- Event time: when it was true or happened.
    event_at           timestamptz,
    -- Record time: of the first revision, of this one, and when this one ceased to be the present view.
    first_recorded_at  timestamptz NOT NULL DEFAULT now(),
    recorded_at        timestamptz NOT NULL DEFAULT now(),
    retracted_at       timestamptz,
    -- 'superseded', 'updated', 'deleted'; empty while it stands.
    retracted_reason   text        NOT NULL DEFAULT '',
    superseded_by      uuid,
    last_refreshed_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_memories PRIMARY KEY (owner_id, item_id),
    CONSTRAINT uq_memories_revision UNIQUE (owner_id, memory_id, revision),
    CONSTRAINT ck_memories_record_time CHECK (retracted_at IS NULL OR retracted_at >= recorded_at)
);
-- One present revision a memory, one present holder a slot.
CREATE UNIQUE INDEX uq_memories_present ON memories (owner_id, memory_id) WHERE retracted_at IS NULL;
CREATE UNIQUE INDEX uq_memories_slot ON memories (owner_id, slot) WHERE retracted_at IS NULL AND slot <> '';
-- Lists by newest first; the same content said again is found by its hash.
CREATE INDEX ix_memories_owner_created ON memories (owner_id, first_recorded_at DESC, memory_id DESC);
CREATE INDEX ix_memories_content ON memories (owner_id, hashtextextended(content, 0)) WHERE retracted_at IS NULL;
CREATE INDEX ix_memories_undigested ON memories (owner_id, recorded_at, item_id)
    WHERE digest_id IS NULL AND retracted_at IS NULL AND memory_type <> 'insight';

-- How often recall has returned a memory: apart, so that reading never rewrites a memory.
CREATE TABLE memory_accesses (
    owner_id         uuid        NOT NULL,
    memory_id        uuid        NOT NULL,
    access_count     bigint      NOT NULL DEFAULT 0,
    last_accessed_at timestamptz NOT NULL,
    CONSTRAINT pk_memory_accesses PRIMARY KEY (owner_id, memory_id)
);

-- A memory as an ordered way through the graph's nodes.
CREATE TABLE pathways (
    owner_id    uuid        NOT NULL,
    memory_id   uuid        NOT NULL,
    position    integer     NOT NULL,
    node_type   text        NOT NULL,
    node_id     text        NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    retracted_at timestamptz,
    CONSTRAINT pk_pathways PRIMARY KEY (owner_id, memory_id, position)
);
CREATE INDEX ix_pathways_node ON pathways (owner_id, node_type, node_id);

CREATE TABLE digests (
    owner_id           uuid        NOT NULL CONSTRAINT fk_digests_owner REFERENCES users,
    digest_id          uuid        NOT NULL,
    memories_analyzed  integer     NOT NULL,
    insights_generated integer     NOT NULL,
    recorded_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_digests PRIMARY KEY (owner_id, digest_id)
);

-- A row is one revision, as in memories. Sums and counts, so that averages stay exact as memories are added.
CREATE TABLE emotion_profiles (
    owner_id                uuid        NOT NULL CONSTRAINT fk_emotion_profiles_owner REFERENCES users,
    revision                integer     NOT NULL,
    latest_state            text        NOT NULL,
    latest_state_period     text        NOT NULL,
    latest_state_valence    double precision NOT NULL,
    latest_state_arousal    double precision NOT NULL,
    latest_state_updated_at timestamptz NOT NULL,
    valence_sum             double precision NOT NULL,
    arousal_sum             double precision NOT NULL,
    source_count            bigint      NOT NULL,
    label_counts            jsonb       NOT NULL DEFAULT '{}',
    trigger_counts          jsonb       NOT NULL DEFAULT '{}',
    last_reflected_at       timestamptz NOT NULL,
    recorded_at             timestamptz NOT NULL DEFAULT now(),
    retracted_at            timestamptz,
    CONSTRAINT pk_emotion_profiles PRIMARY KEY (owner_id, revision)
);
CREATE UNIQUE INDEX uq_emotion_profiles_present ON emotion_profiles (owner_id) WHERE retracted_at IS NULL;
