-- Bringing a past moment back: what rolls back needs its own history, and the timeline its order.

CREATE TABLE rollbacks (
    owner_id                uuid        NOT NULL CONSTRAINT fk_rollbacks_owner REFERENCES users,
    rollback_id             uuid        NOT NULL,
    -- The moment that was brought back (record time).
    to_time                 timestamptz NOT NULL,
    -- The record time of all that it changed; nothing else has it.
    recorded_at             timestamptz NOT NULL,
    -- The rollback that this one undid.
    undoes                  uuid,
    memories_retracted      bigint      NOT NULL,
    memories_restored       bigint      NOT NULL,
    edges_retracted         bigint      NOT NULL,
    edges_restored          bigint      NOT NULL,
    nodes_retracted         bigint      NOT NULL,
    nodes_restored          bigint      NOT NULL,
    key_values_retracted    bigint      NOT NULL,
    key_values_restored     bigint      NOT NULL,
    emotion_profile_changed boolean     NOT NULL,
    CONSTRAINT pk_rollbacks PRIMARY KEY (owner_id, rollback_id)
);
CREATE UNIQUE INDEX uq_rollbacks_recorded ON rollbacks (owner_id, recorded_at);

-- Which digest had read a revision of a memory, and since when: the last row by a moment holds (null: none had).
-- memories.digest_id is that of now.
CREATE TABLE digest_marks (
    owner_id    uuid        NOT NULL,
    item_id     uuid        NOT NULL,
    recorded_at timestamptz NOT NULL,
    digest_id   uuid,
    CONSTRAINT pk_digest_marks PRIMARY KEY (owner_id, item_id, recorded_at)
);
-- Migrations run as the tables' owner, whom the walls keep out as well.
ALTER TABLE memories NO FORCE ROW LEVEL SECURITY;
ALTER TABLE digests NO FORCE ROW LEVEL SECURITY;
INSERT INTO digest_marks (owner_id, item_id, recorded_at, digest_id)
SELECT owner_id, item_id, greatest(digests.recorded_at, memories.recorded_at), digest_id
FROM memories JOIN digests USING (owner_id, digest_id);
ALTER TABLE memories FORCE ROW LEVEL SECURITY;
ALTER TABLE digests FORCE ROW LEVEL SECURITY;

-- A step that was taken back may come back.
ALTER TABLE pathways ADD COLUMN revision integer NOT NULL DEFAULT 1;
ALTER TABLE pathways DROP CONSTRAINT pk_pathways;
ALTER TABLE pathways ADD CONSTRAINT pk_pathways PRIMARY KEY (owner_id, memory_id, position, revision);

-- The timeline: everything in the order in which it happened.
CREATE INDEX ix_memories_happened ON memories (owner_id, coalesce(event_at, first_recorded_at), item_id);
CREATE INDEX ix_messages_said ON messages (owner_id, said_at, message_id);
CREATE INDEX ix_graph_edges_true ON graph_edges (owner_id, coalesce(valid_from, first_recorded_at), edge_id);

DO $$
DECLARE
    owned text;
    owner_is constant text := 'owner_id = nullif(current_setting(''mnema.owner'', true), '''')::uuid';
BEGIN
    FOREACH owned IN ARRAY ARRAY['rollbacks', 'digest_marks'] LOOP
        EXECUTE format('CREATE POLICY by_owner ON %I USING (%s) WITH CHECK (%s)', owned, owner_is, owner_is);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', owned);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', owned);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mnema_service', owned);
    END LOOP;
END
$$;
