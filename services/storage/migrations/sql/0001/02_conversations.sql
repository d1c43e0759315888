-- What was said, and what became of it.

CREATE TABLE sessions (
    owner_id          uuid        NOT NULL CONSTRAINT fk_sessions_owner REFERENCES users,
    session_id        text        NOT NULL,
    message_count     bigint      NOT NULL DEFAULT 0,
    -- True while a job waits that will take up this session's pending messages: at most one waits at a time.
    extraction_queued boolean     NOT NULL DEFAULT false,
    metadata          jsonb       NOT NULL DEFAULT '{}',
    recorded_at       timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    last_message_at   timestamptz,
    closed_at         timestamptz,
    CONSTRAINT pk_sessions PRIMARY KEY (owner_id, session_id)
);
-- Sessions are listed by their newest messages; an empty one by when it was opened.
CREATE INDEX ix_sessions_owner_latest ON sessions (owner_id, coalesce(last_message_at, recorded_at) DESC, session_id DESC);

CREATE TABLE extractions (
    owner_id     uuid        NOT NULL,
    extraction_id uuid       NOT NULL,
    session_id   text        NOT NULL,
    state        text        NOT NULL DEFAULT 'running'
                 CONSTRAINT ck_extractions_state CHECK (state IN ('pending', 'running', 'done', 'failed')),
    attempts     integer     NOT NULL DEFAULT 0,
    max_attempts integer     NOT NULL,
    error        text        NOT NULL DEFAULT '',
    error_reason text        NOT NULL DEFAULT '',
    messages     integer     NOT NULL DEFAULT 0,
    facts        integer     NOT NULL DEFAULT 0,
    episodes     integer     NOT NULL DEFAULT 0,
    triples      integer     NOT NULL DEFAULT 0,
    extractor    text        NOT NULL DEFAULT '',
    duration_ms  bigint      NOT NULL DEFAULT 0,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    CONSTRAINT pk_extractions PRIMARY KEY (owner_id, extraction_id),
    CONSTRAINT fk_extractions_session FOREIGN KEY (owner_id, session_id) REFERENCES sessions
);
CREATE INDEX ix_extractions_owner_recorded ON extractions (owner_id, recorded_at DESC, extraction_id DESC);
CREATE INDEX ix_extractions_owner_unfinished ON extractions (owner_id, state) WHERE state <> 'done';

CREATE TABLE messages (
    owner_id         uuid        NOT NULL,
    message_id       uuid        NOT NULL,
    session_id       text        NOT NULL,
    sequence         bigint      NOT NULL,
    role             text        NOT NULL CONSTRAINT ck_messages_role CHECK (role IN ('user', 'assistant', 'system', 'tool')),
    speaker          text        NOT NULL DEFAULT '',
    content          text        NOT NULL,
    metadata         jsonb       NOT NULL DEFAULT '{}',
    -- Event time: when it was said.
    said_at          timestamptz NOT NULL,
    -- Record time.
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    retracted_at     timestamptz,
    extraction_state text        NOT NULL DEFAULT 'pending'
                     CONSTRAINT ck_messages_extraction CHECK (extraction_state IN ('pending', 'running', 'done', 'failed', 'skipped')),
    extraction_id    uuid,
    CONSTRAINT pk_messages PRIMARY KEY (owner_id, message_id),
    CONSTRAINT uq_messages_sequence UNIQUE (owner_id, session_id, sequence),
    CONSTRAINT fk_messages_session FOREIGN KEY (owner_id, session_id) REFERENCES sessions
);
CREATE INDEX ix_messages_owner_recorded ON messages (owner_id, recorded_at, message_id);
CREATE INDEX ix_messages_unextracted ON messages (owner_id, session_id, sequence) WHERE extraction_state = 'pending';
CREATE INDEX ix_messages_extraction ON messages (owner_id, extraction_id) WHERE extraction_id IS NOT NULL;
