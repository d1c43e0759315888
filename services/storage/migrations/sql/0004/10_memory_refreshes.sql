-- What a revision of a memory was before it was said again: what it gained since is not known at an earlier moment. The
-- lists of sources only grow, so their lengths tell what they were. Of memories that were said again before this table was
-- there, nobody knows what they had been.
CREATE TABLE memory_refreshes (
    owner_id          uuid        NOT NULL CONSTRAINT fk_memory_refreshes_owner REFERENCES users,
    item_id           uuid        NOT NULL,
    recorded_at       timestamptz NOT NULL,
    importance        smallint,
    source_messages   integer     NOT NULL,
    source_memories   integer     NOT NULL,
    last_refreshed_at timestamptz NOT NULL,
    CONSTRAINT pk_memory_refreshes PRIMARY KEY (owner_id, item_id, recorded_at),
    CONSTRAINT fk_memory_refreshes_item FOREIGN KEY (owner_id, item_id) REFERENCES memories
);

CREATE POLICY by_owner ON memory_refreshes
    USING (owner_id = nullif(current_setting('mnema.owner', true), '')::uuid)
    WITH CHECK (owner_id = nullif(current_setting('mnema.owner', true), '')::uuid);
ALTER TABLE memory_refreshes ENABLE ROW LEVEL SECURITY;
ALTER TABLE memory_refreshes FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON memory_refreshes TO mnema_service;
