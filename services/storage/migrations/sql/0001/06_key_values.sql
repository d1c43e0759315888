-- Any JSON value under a namespace and a key. A row is one revision.

CREATE TABLE key_values (
    owner_id      uuid        NOT NULL CONSTRAINT fk_key_values_owner REFERENCES users,
    namespace     text        NOT NULL,
    key           text        NOT NULL,
    revision      integer     NOT NULL DEFAULT 1,
    value         jsonb       NOT NULL,
    extraction_id uuid,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    retracted_at  timestamptz,
    CONSTRAINT pk_key_values PRIMARY KEY (owner_id, namespace, key, revision)
);
CREATE UNIQUE INDEX uq_key_values_present ON key_values (owner_id, namespace, key COLLATE "C") WHERE retracted_at IS NULL;
