-- Numbers that a user's things are counted by, for places (services/storage/places.py).

-- The last number that was given: of sessions, of documents, of memories without a source; and how often units of the
-- search index were erased or replaced.
CREATE TABLE numbers (
    owner_id    uuid   NOT NULL,
    counted     text   NOT NULL CONSTRAINT ck_numbers_counted CHECK (counted IN ('session', 'document', 'placeless', 'rewrite')),
    last_number bigint NOT NULL,
    CONSTRAINT pk_numbers PRIMARY KEY (owner_id, counted)
) WITH (fillfactor = 50);

ALTER TABLE sessions ADD COLUMN number bigint CONSTRAINT ck_sessions_number CHECK (number BETWEEN 1 AND 268435455);
ALTER TABLE documents ADD COLUMN number bigint CONSTRAINT ck_documents_number CHECK (number BETWEEN 1 AND 268435455);
