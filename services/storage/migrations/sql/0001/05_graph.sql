-- The graph. A row is one revision; a node is named by (node_type, node_id), an edge by edge_id.

CREATE TABLE graph_nodes (
    owner_id          uuid        NOT NULL CONSTRAINT fk_graph_nodes_owner REFERENCES users,
    node_type         text        NOT NULL,
    node_id           text        NOT NULL,
    revision          integer     NOT NULL DEFAULT 1,
    name              text        NOT NULL,
    -- The id that its name would have: what the words of a text are compared with.
    name_id           text        NOT NULL,
    properties        jsonb       NOT NULL DEFAULT '{}',
    first_recorded_at timestamptz NOT NULL DEFAULT now(),
    recorded_at       timestamptz NOT NULL DEFAULT now(),
    retracted_at      timestamptz,
    CONSTRAINT pk_graph_nodes PRIMARY KEY (owner_id, node_type, node_id, revision)
);
CREATE UNIQUE INDEX uq_graph_nodes_present ON graph_nodes (owner_id, node_type, node_id) WHERE retracted_at IS NULL;
-- For the names in a query, whose types are not known.
CREATE INDEX ix_graph_nodes_id ON graph_nodes (owner_id, node_id);
-- For nodes whose id is not made from their name.
CREATE INDEX ix_graph_nodes_name ON graph_nodes (owner_id, name_id);

CREATE TABLE graph_edges (
    owner_id           uuid        NOT NULL CONSTRAINT fk_graph_edges_owner REFERENCES users,
    edge_id            uuid        NOT NULL,
    revision           integer     NOT NULL DEFAULT 1,
    source_type        text        NOT NULL,
    source_id          text        NOT NULL,
    edge_type          text        NOT NULL,
    custom_type        text        NOT NULL DEFAULT '',
    target_type        text        NOT NULL,
    target_id          text        NOT NULL,
    weight             double precision NOT NULL DEFAULT 1 CONSTRAINT ck_graph_edges_weight CHECK (weight BETWEEN 0 AND 1),
    confidence         double precision CONSTRAINT ck_graph_edges_confidence CHECK (confidence BETWEEN 0 AND 1),
    properties         jsonb       NOT NULL DEFAULT '{}',
    content            text        NOT NULL DEFAULT '',
    -- Event time: [valid_from, valid_to).
    valid_from         timestamptz,
    valid_to           timestamptz,
    first_recorded_at  timestamptz NOT NULL DEFAULT now(),
    recorded_at        timestamptz NOT NULL DEFAULT now(),
    retracted_at       timestamptz,
    -- Why valid_to was set or the edge retracted: 'superseded', 'ended', 'deleted', 'updated'; empty while it stands.
    closed_reason      text        NOT NULL DEFAULT '',
    superseded_by      uuid,
    source_message_ids uuid[]      NOT NULL DEFAULT '{}',
    extraction_id      uuid,
    CONSTRAINT pk_graph_edges PRIMARY KEY (owner_id, edge_id, revision),
    CONSTRAINT ck_graph_edges_custom CHECK ((edge_type = 'CUSTOM') = (custom_type <> ''))
);
CREATE UNIQUE INDEX uq_graph_edges_present ON graph_edges (owner_id, edge_id) WHERE retracted_at IS NULL;
-- The same statement stands once; past spans of it may stand beside it.
CREATE UNIQUE INDEX uq_graph_edges_open ON graph_edges
    (owner_id, source_type, source_id, edge_type, custom_type, target_type, target_id)
    WHERE retracted_at IS NULL AND valid_to IS NULL;
-- A node's edges of one type, the newest first: a node of 100,000 edges is read by its first page. The order has a
-- column that no other index gives, or the planner would read all of a user's edges in the order of their ids.
CREATE INDEX ix_graph_edges_target ON graph_edges
    (owner_id, target_type, target_id, edge_type, first_recorded_at, edge_id);
CREATE INDEX ix_graph_edges_source ON graph_edges
    (owner_id, source_type, source_id, edge_type, first_recorded_at, edge_id);
-- What two nodes have to do with each other. The target leads, or it would be taken for ix_graph_edges_source.
CREATE INDEX ix_graph_edges_ends ON graph_edges (owner_id, target_type, target_id, source_type, source_id);
