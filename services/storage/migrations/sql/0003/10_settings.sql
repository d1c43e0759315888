-- What settings ask for: triggers of extraction, and digests that are made in the background.

ALTER TABLE sessions
    -- True while a job waits that takes the pending messages up once nobody has spoken for long enough.
    ADD COLUMN idle_queued boolean NOT NULL DEFAULT false;

ALTER TABLE users
    -- Messages of the role "user" that were extracted since the last digest was made or asked for.
    ADD COLUMN undigested_messages bigint NOT NULL DEFAULT 0;

ALTER TABLE digests
    ALTER COLUMN memories_analyzed SET DEFAULT 0,
    ALTER COLUMN insights_generated SET DEFAULT 0,
    -- A digest that the version before makes is done when it is stored.
    ADD COLUMN state text NOT NULL DEFAULT 'done'
        CONSTRAINT ck_digests_state CHECK (state IN ('pending', 'running', 'done', 'failed')),
    ADD COLUMN trigger text NOT NULL DEFAULT 'call'
        CONSTRAINT ck_digests_trigger CHECK (trigger IN ('call', 'interval')),
    ADD COLUMN batch_size integer NOT NULL DEFAULT 50,
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN max_attempts integer NOT NULL DEFAULT 1,
    ADD COLUMN error text NOT NULL DEFAULT '',
    ADD COLUMN error_reason text NOT NULL DEFAULT '',
    -- The revisions of memories that are its insights, and that of the emotion profile it left.
    ADD COLUMN insight_items uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN profile_revision integer,
    ADD COLUMN started_at timestamptz,
    ADD COLUMN finished_at timestamptz;
UPDATE digests SET attempts = 1, started_at = recorded_at, finished_at = recorded_at;
CREATE INDEX ix_digests_owner_recorded ON digests (owner_id, recorded_at DESC, digest_id DESC);
CREATE INDEX ix_digests_owner_running ON digests (owner_id) WHERE state = 'running';
