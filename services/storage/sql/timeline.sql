-- Memories, messages and edges in the order in which they happened.

-- name: entries
-- $1 owner_id, $2 kinds ('memory', 'message', 'edge'), $3 from when and $4 until when (null: open), $5 as of (null: now), $6
-- to $8 the last entry of the page before: when, kind, id (null: first page), $9 how many at most. {beyond} and {order}
-- stand for > and ASC, or < and DESC. Keys: ix_memories_happened, ix_messages_said, ix_graph_edges_true, read from where the
-- page begins, which $3 or $4 says as well. Entries of one moment are in the order of their kinds and ids.
SELECT happened_at, kind, id, revision FROM (
    (SELECT coalesce(event_at, first_recorded_at) AS happened_at, 'memory' AS kind, item_id AS id, revision FROM memories
     WHERE owner_id = $1 AND 'memory' = ANY ($2::text[])
       AND coalesce(event_at, first_recorded_at) >= coalesce($3::timestamptz, '-infinity')
       AND coalesce(event_at, first_recorded_at) < coalesce($4::timestamptz, 'infinity')
       AND CASE WHEN $5::timestamptz IS NULL THEN retracted_at IS NULL
                ELSE recorded_at <= $5 AND (retracted_at IS NULL OR retracted_at > $5) END
       AND ($7::text IS NULL
            OR (coalesce(event_at, first_recorded_at), 'memory', item_id) {beyond} ($6::timestamptz, $7, $8::uuid))
     ORDER BY coalesce(event_at, first_recorded_at) {order}, item_id {order} LIMIT $9)
    UNION ALL
    (SELECT said_at, 'message', message_id, 1 FROM messages
     WHERE owner_id = $1 AND 'message' = ANY ($2)
       AND said_at >= coalesce($3, '-infinity') AND said_at < coalesce($4, 'infinity')
       AND CASE WHEN $5 IS NULL THEN retracted_at IS NULL
                ELSE recorded_at <= $5 AND (retracted_at IS NULL OR retracted_at > $5) END
       AND ($7 IS NULL OR (said_at, 'message', message_id) {beyond} ($6, $7, $8))
     ORDER BY said_at {order}, message_id {order} LIMIT $9)
    UNION ALL
    (SELECT coalesce(valid_from, first_recorded_at), 'edge', edge_id, revision FROM graph_edges
     WHERE owner_id = $1 AND 'edge' = ANY ($2)
       AND coalesce(valid_from, first_recorded_at) >= coalesce($3, '-infinity')
       AND coalesce(valid_from, first_recorded_at) < coalesce($4, 'infinity')
       AND CASE WHEN $5 IS NULL THEN retracted_at IS NULL
                ELSE recorded_at <= $5 AND (retracted_at IS NULL OR retracted_at > $5) END
       AND ($7 IS NULL OR (coalesce(valid_from, first_recorded_at), 'edge', edge_id) {beyond} ($6, $7, $8))
     ORDER BY coalesce(valid_from, first_recorded_at) {order}, edge_id {order} LIMIT $9)
) AS entries
ORDER BY happened_at {order}, kind {order}, id {order}
LIMIT $9

-- name: edges_of_revisions
-- $1 owner_id; in pairs: $2 edge_id[], $3 revision[]. Key: pk_graph_edges.
SELECT graph_edges.*
FROM unnest($2::uuid[], $3::integer[]) AS wanted (edge_id, revision) JOIN graph_edges USING (edge_id, revision)
WHERE owner_id = $1
