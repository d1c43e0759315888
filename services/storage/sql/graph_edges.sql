-- Edges of a user's graph. The writers hold the owner's lock, so a row they read stays as it is.

-- name: transaction_time
SELECT now()

-- name: edges_about
-- $1 owner_id; triples: $2 source types, $3 source ids, $4 edge types, $5 custom types, $6 target types, $7 target ids;
-- slots: $8 source types, $9 source ids, $10 edge types. Keys: ix_graph_edges_ends, ix_graph_edges_source.
-- Rows: the spans of each triple and slot, a handful.
SELECT e.*
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS t (source_type, source_id, edge_type, custom_type, target_type, target_id)
CROSS JOIN LATERAL (
    SELECT * FROM graph_edges
    WHERE owner_id = $1 AND source_type = t.source_type AND source_id = t.source_id
      AND target_type = t.target_type AND target_id = t.target_id
      AND edge_type = t.edge_type AND custom_type = t.custom_type AND retracted_at IS NULL) e
UNION ALL
SELECT e.*
FROM unnest($8::text[], $9::text[], $10::text[]) AS s (source_type, source_id, edge_type)
CROSS JOIN LATERAL (
    SELECT * FROM graph_edges
    WHERE owner_id = $1 AND source_type = s.source_type AND source_id = s.source_id AND edge_type = s.edge_type
      AND (retracted_at IS NULL OR (edge_type = 'BORN_IN' AND closed_reason = 'superseded'))) e

-- name: insert_edges
-- $1 owner_id, $2 jsonb list of rows.
INSERT INTO graph_edges (
    owner_id, edge_id, revision, source_type, source_id, edge_type, custom_type, target_type, target_id, weight,
    confidence, properties, content, valid_from, valid_to, first_recorded_at, recorded_at, retracted_at,
    closed_reason, superseded_by, source_message_ids, extraction_id)
SELECT
    $1, edge_id, revision, source_type, source_id, edge_type, custom_type, target_type, target_id, weight,
    confidence, properties, content, valid_from, valid_to, first_recorded_at, recorded_at, retracted_at,
    closed_reason, superseded_by, source_message_ids, extraction_id
FROM jsonb_to_recordset($2::jsonb) AS r (
    edge_id uuid, revision integer, source_type text, source_id text, edge_type text, custom_type text,
    target_type text, target_id text, weight double precision, confidence double precision, properties jsonb,
    content text, valid_from timestamptz, valid_to timestamptz, first_recorded_at timestamptz,
    recorded_at timestamptz, retracted_at timestamptz, closed_reason text, superseded_by uuid,
    source_message_ids uuid[], extraction_id uuid)

-- name: retire_revisions
-- $1 owner_id, $2 edge_ids, $3 when the revision that follows is recorded. Key: uq_graph_edges_present.
-- What the row says of itself stays: a read as of before sees what stood then.
UPDATE graph_edges e SET retracted_at = r.at
FROM unnest($2::uuid[], $3::timestamptz[]) AS r (edge_id, at)
WHERE e.owner_id = $1 AND e.edge_id = r.edge_id AND e.retracted_at IS NULL

-- name: take_back_edges
-- $1 owner_id, $2 edge_ids, $3 retracted_at, $4 closed_reason, $5 superseded_by. Key: uq_graph_edges_present.
UPDATE graph_edges e SET retracted_at = r.at, closed_reason = r.reason, superseded_by = r.superseded_by
FROM unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::uuid[]) AS r (edge_id, at, reason, superseded_by)
WHERE e.owner_id = $1 AND e.edge_id = r.edge_id AND e.retracted_at IS NULL

-- name: get_edge
-- $1 owner_id, $2 edge_id. Key: pk_graph_edges.
SELECT * FROM graph_edges WHERE owner_id = $1 AND edge_id = $2 ORDER BY revision DESC LIMIT 1

-- name: delete_edge
-- $1 owner_id, $2 edge_id. Key: uq_graph_edges_present.
UPDATE graph_edges SET retracted_at = greatest(now(), recorded_at), closed_reason = 'deleted'
WHERE owner_id = $1 AND edge_id = $2 AND retracted_at IS NULL
RETURNING true

-- name: delete_edges_of
-- $1 owner_id, $2 node_type, $3 node_id. Keys: ix_graph_edges_source, ix_graph_edges_target. An edge to itself counts once.
WITH gone AS (
    UPDATE graph_edges SET retracted_at = greatest(now(), recorded_at), closed_reason = 'deleted'
    WHERE owner_id = $1 AND retracted_at IS NULL
      AND ((source_type = $2 AND source_id = $3) OR (target_type = $2 AND target_id = $3))
    RETURNING 1)
SELECT count(*) FROM gone
