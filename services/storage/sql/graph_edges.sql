-- Edges of a user's graph. The writers hold the owner's lock, so a row they read stays as it is.

-- name: transaction_time
SELECT record_time()

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
      AND (retracted_at IS NULL
           -- Unless the edge came back since.
           OR (edge_type = 'BORN_IN' AND closed_reason = 'superseded' AND NOT EXISTS (
               SELECT FROM graph_edges AS later
               WHERE later.owner_id = $1 AND later.edge_id = graph_edges.edge_id
                 AND later.revision > graph_edges.revision)))) e

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
-- $1 owner_id, $2 edge_id, $3 as of (null: now). Key: pk_graph_edges.
SELECT * FROM graph_edges
WHERE owner_id = $1 AND edge_id = $2 AND ($3::timestamptz IS NULL OR recorded_at <= $3)
ORDER BY revision DESC LIMIT 1

-- name: delete_edge
-- $1 owner_id, $2 edge_id. Key: uq_graph_edges_present.
UPDATE graph_edges SET retracted_at = greatest(record_time(), recorded_at), closed_reason = 'deleted'
WHERE owner_id = $1 AND edge_id = $2 AND retracted_at IS NULL
RETURNING true

-- name: delete_edges_of
-- $1 owner_id, $2 node_type, $3 node_id. Keys: ix_graph_edges_source, ix_graph_edges_target. An edge to itself counts once.
WITH gone AS (
    UPDATE graph_edges SET retracted_at = greatest(record_time(), recorded_at), closed_reason = 'deleted'
    WHERE owner_id = $1 AND retracted_at IS NULL
      AND ((source_type = $2 AND source_id = $3) OR (target_type = $2 AND target_id = $3))
    RETURNING 1)
SELECT count(*) FROM gone

-- name: edges_of_nodes
-- $1 owner_id, $2 node types, $3 node ids, $4 edge types, $5 as of (null: now), $6 whether also those that are over,
-- $7 and $8 first_recorded_at and edge_id that all come before, $9 how many per node at most, $10 'out', 'in' or 'both'.
-- Keys: ix_graph_edges_source, ix_graph_edges_target, read backwards for each edge type: at most $9 rows each, however
-- many edges a node has. An edge from a node to itself counts as leading out.
SELECT near.*
FROM unnest($2::text[], $3::text[]) AS n (node_type, node_id)
CROSS JOIN LATERAL (
    SELECT found.* FROM unnest($4::text[]) AS k (edge_type)
    CROSS JOIN LATERAL (
        (SELECT e.*, 'out' AS direction FROM graph_edges e
         WHERE $10 <> 'in' AND e.owner_id = $1 AND e.source_type = n.node_type AND e.source_id = n.node_id
           AND e.edge_type = k.edge_type AND (e.first_recorded_at, e.edge_id) < ($7, $8)
           AND CASE WHEN $5::timestamptz IS NULL THEN e.retracted_at IS NULL
                    ELSE e.recorded_at <= $5 AND (e.retracted_at IS NULL OR e.retracted_at > $5) END
           AND ($6 OR e.valid_to IS NULL OR e.valid_to > coalesce($5, statement_timestamp()))
         ORDER BY e.first_recorded_at DESC, e.edge_id DESC LIMIT $9)
        UNION ALL
        (SELECT e.*, 'in' AS direction FROM graph_edges e
         WHERE $10 <> 'out' AND e.owner_id = $1 AND e.target_type = n.node_type AND e.target_id = n.node_id
           AND e.edge_type = k.edge_type AND (e.first_recorded_at, e.edge_id) < ($7, $8)
           AND ($10 = 'in' OR e.source_type <> n.node_type OR e.source_id <> n.node_id)
           AND CASE WHEN $5::timestamptz IS NULL THEN e.retracted_at IS NULL
                    ELSE e.recorded_at <= $5 AND (e.retracted_at IS NULL OR e.retracted_at > $5) END
           AND ($6 OR e.valid_to IS NULL OR e.valid_to > coalesce($5, statement_timestamp()))
         ORDER BY e.first_recorded_at DESC, e.edge_id DESC LIMIT $9)) found
    ORDER BY found.first_recorded_at DESC, found.edge_id DESC LIMIT $9) near
ORDER BY near.first_recorded_at DESC, near.edge_id DESC

-- name: edges_between
-- $1 owner_id, $2 node types, $3 node ids, $4 as of (null: now), $5 how many per pair at most. Key: ix_graph_edges_ends.
-- True edges that lead from one of the nodes to another or the same.
SELECT e.*
FROM unnest($2::text[], $3::text[]) AS s (node_type, node_id)
CROSS JOIN unnest($2::text[], $3::text[]) AS t (node_type, node_id)
CROSS JOIN LATERAL (
    SELECT * FROM graph_edges
    WHERE owner_id = $1 AND source_type = s.node_type AND source_id = s.node_id
      AND target_type = t.node_type AND target_id = t.node_id
      AND CASE WHEN $4::timestamptz IS NULL THEN retracted_at IS NULL
               ELSE recorded_at <= $4 AND (retracted_at IS NULL OR retracted_at > $4) END
      AND (valid_to IS NULL OR valid_to > coalesce($4, statement_timestamp()))
    ORDER BY first_recorded_at DESC, edge_id DESC LIMIT $5) e

-- name: links_of_nodes
-- $1 owner_id, $2 node types, $3 node ids, $4 as of (null: now), $5 how many per node and direction at most,
-- $6 how many in all at most. Keys: ix_graph_edges_source, ix_graph_edges_target, read backwards.
SELECT e.edge_id, e.source_type, e.source_id, e.target_type, e.target_id
FROM unnest($2::text[], $3::text[]) AS n (node_type, node_id)
CROSS JOIN LATERAL (
    (SELECT edge_id, source_type, source_id, target_type, target_id FROM graph_edges
     WHERE owner_id = $1 AND source_type = n.node_type AND source_id = n.node_id
       AND CASE WHEN $4::timestamptz IS NULL THEN retracted_at IS NULL
                ELSE recorded_at <= $4 AND (retracted_at IS NULL OR retracted_at > $4) END
       AND (valid_to IS NULL OR valid_to > coalesce($4, statement_timestamp()))
     ORDER BY edge_type DESC, first_recorded_at DESC, edge_id DESC LIMIT $5)
    UNION ALL
    (SELECT edge_id, source_type, source_id, target_type, target_id FROM graph_edges
     WHERE owner_id = $1 AND target_type = n.node_type AND target_id = n.node_id
       AND CASE WHEN $4::timestamptz IS NULL THEN retracted_at IS NULL
                ELSE recorded_at <= $4 AND (retracted_at IS NULL OR retracted_at > $4) END
       AND (valid_to IS NULL OR valid_to > coalesce($4, statement_timestamp()))
     ORDER BY edge_type DESC, first_recorded_at DESC, edge_id DESC LIMIT $5)) e
LIMIT $6

-- name: edges_by_id
-- $1 owner_id, $2 edge_ids, $3 as of (null: now). Key: pk_graph_edges.
SELECT * FROM graph_edges
WHERE owner_id = $1 AND edge_id = ANY ($2::uuid[])
  AND CASE WHEN $3::timestamptz IS NULL THEN retracted_at IS NULL
           ELSE recorded_at <= $3 AND (retracted_at IS NULL OR retracted_at > $3) END
