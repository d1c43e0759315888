-- Nodes of a user's graph. The writers hold the owner's lock.
-- "as of" null is the present.

-- name: ensure_nodes
-- $1 owner_id, $2 node_types, $3 node_ids, $4 names, $5 name_ids; sorted, without repeats. Key: pk_graph_nodes.
-- A node that was taken back goes on with the next revision.
INSERT INTO graph_nodes (owner_id, node_type, node_id, revision, name, name_id, first_recorded_at, recorded_at)
SELECT
    $1, t.node_type, t.node_id, 1 + coalesce(last.revision, 0), t.name, t.name_id,
    greatest(record_time(), last.retracted_at), greatest(record_time(), last.retracted_at)
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS t (node_type, node_id, name, name_id)
LEFT JOIN LATERAL (
    SELECT revision, retracted_at FROM graph_nodes
    WHERE owner_id = $1 AND node_type = t.node_type AND node_id = t.node_id
    ORDER BY revision DESC LIMIT 1) last ON true
WHERE last.revision IS NULL OR last.retracted_at IS NOT NULL

-- name: create_node
-- $1 owner_id, $2 node_type, $3 node_id, $4 name, $5 name_id, $6 properties. Key: pk_graph_nodes.
-- No row if there is one.
INSERT INTO graph_nodes (
    owner_id, node_type, node_id, revision, name, name_id, properties, first_recorded_at, recorded_at)
SELECT
    $1, $2, $3, 1 + coalesce(max(revision), 0), $4, $5, $6::jsonb,
    greatest(record_time(), max(retracted_at)), greatest(record_time(), max(retracted_at))
FROM graph_nodes
WHERE owner_id = $1 AND node_type = $2 AND node_id = $3
HAVING count(*) = count(retracted_at)
RETURNING *

-- name: get_node
-- $1 owner_id, $2 node_type, $3 node_id, $4 as of. Key: pk_graph_nodes.
SELECT * FROM graph_nodes
WHERE owner_id = $1 AND node_type = $2 AND node_id = $3
  AND CASE WHEN $4::timestamptz IS NULL THEN retracted_at IS NULL
           ELSE recorded_at <= $4 AND (retracted_at IS NULL OR retracted_at > $4) END

-- name: get_nodes
-- $1 owner_id, $2 node_types, $3 node_ids, $4 as of. Key: pk_graph_nodes.
SELECT n.*
FROM unnest($2::text[], $3::text[]) AS k (node_type, node_id)
CROSS JOIN LATERAL (
    SELECT * FROM graph_nodes
    WHERE owner_id = $1 AND node_type = k.node_type AND node_id = k.node_id
      AND CASE WHEN $4::timestamptz IS NULL THEN retracted_at IS NULL
               ELSE recorded_at <= $4 AND (retracted_at IS NULL OR retracted_at > $4) END) n

-- name: list_nodes
-- $1 owner_id, $2 node_types, $3 and $4 type and id to start after, $5 limit. Key: uq_graph_nodes_present.
SELECT * FROM graph_nodes
WHERE owner_id = $1 AND retracted_at IS NULL AND node_type = ANY ($2::text[])
  AND (node_type, node_id) > ($3, $4)
ORDER BY node_type, node_id
LIMIT $5

-- name: list_nodes_as_of
-- As list_nodes; $6 the moment. Key: pk_graph_nodes.
SELECT * FROM graph_nodes
WHERE owner_id = $1 AND node_type = ANY ($2::text[])
  AND recorded_at <= $6 AND (retracted_at IS NULL OR retracted_at > $6)
  AND (node_type, node_id) > ($3, $4)
ORDER BY node_type, node_id
LIMIT $5

-- name: revise_node
-- $1 owner_id, $2 node_type, $3 node_id, $4 name, $5 name_id, $6 properties. Key: uq_graph_nodes_present.
WITH before AS (
    UPDATE graph_nodes SET retracted_at = greatest(record_time(), recorded_at)
    WHERE owner_id = $1 AND node_type = $2 AND node_id = $3 AND retracted_at IS NULL
    RETURNING revision, first_recorded_at, retracted_at)
INSERT INTO graph_nodes (
    owner_id, node_type, node_id, revision, name, name_id, properties, first_recorded_at, recorded_at)
SELECT $1, $2, $3, revision + 1, $4, $5, $6::jsonb, first_recorded_at, retracted_at FROM before
RETURNING *

-- name: delete_node
-- $1 owner_id, $2 node_type, $3 node_id. Key: uq_graph_nodes_present.
UPDATE graph_nodes SET retracted_at = greatest(record_time(), recorded_at)
WHERE owner_id = $1 AND node_type = $2 AND node_id = $3 AND retracted_at IS NULL
RETURNING true

-- name: nodes_named
-- $1 owner_id, $2 node_ids, $3 name_ids, $4 as of, $5 limit, $6 how many that stand for the user (as a rule there is one).
-- Keys: pk_graph_nodes, ix_graph_nodes_id, ix_graph_nodes_name. For an owner without nodes one look into an index is all.
-- A node comes twice if both its id and its name are among those asked for.
WITH first_one AS MATERIALIZED (
    SELECT FROM graph_nodes WHERE owner_id = $1 ORDER BY node_type, node_id, revision LIMIT 1)
(SELECT *, false AS is_user FROM graph_nodes
 WHERE EXISTS (SELECT FROM first_one)
   AND owner_id = $1 AND node_id = ANY ($2::text[])
   AND CASE WHEN $4::timestamptz IS NULL THEN retracted_at IS NULL
            ELSE recorded_at <= $4 AND (retracted_at IS NULL OR retracted_at > $4) END
 UNION ALL
 SELECT *, false FROM graph_nodes
 WHERE EXISTS (SELECT FROM first_one)
   AND owner_id = $1 AND name_id = ANY ($3::text[])
   AND CASE WHEN $4::timestamptz IS NULL THEN retracted_at IS NULL
            ELSE recorded_at <= $4 AND (retracted_at IS NULL OR retracted_at > $4) END
 LIMIT $5)
UNION ALL
(SELECT *, true FROM graph_nodes
 WHERE $6 > 0 AND owner_id = $1 AND node_type = 'USER'
   AND CASE WHEN $4::timestamptz IS NULL THEN retracted_at IS NULL
            ELSE recorded_at <= $4 AND (retracted_at IS NULL OR retracted_at > $4) END
 ORDER BY node_id
 LIMIT $6)
