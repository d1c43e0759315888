-- What a user's memory amounts to. {columns} stands for the list of columns that services/storage/memories.py reads.

-- name: count_memories
-- $1 owner_id, $2 how many weeks by their own. Key: ix_memories_present, without the table. Present memories by type and,
-- in the last weeks, by week (null: before).
SELECT memory_type, to_char(week AT TIME ZONE 'UTC', 'IYYY-"W"IW') AS week, sum(memories)::bigint AS memories
FROM (SELECT memory_type,
             -- The limit in a SELECT of its own is worked out once, not for each row.
             CASE WHEN first_recorded_at >= (SELECT date_trunc('week', now(), 'UTC') - make_interval(weeks => $2 - 1))
                  THEN date_trunc('week', first_recorded_at, 'UTC') END AS week,
             count(*) AS memories
      FROM memories WHERE owner_id = $1 AND retracted_at IS NULL GROUP BY 1, 2) AS counted
GROUP BY 1, 2

-- name: count_memories_as_of
-- As count_memories; $3 the moment. Key: ix_memories_owner_created.
SELECT memory_type, to_char(week AT TIME ZONE 'UTC', 'IYYY-"W"IW') AS week, sum(memories)::bigint AS memories
FROM (SELECT memory_type,
             CASE WHEN first_recorded_at
                       >= (SELECT date_trunc('week', $3::timestamptz, 'UTC') - make_interval(weeks => $2 - 1))
                  THEN date_trunc('week', first_recorded_at, 'UTC') END AS week,
             count(*) AS memories
      FROM memories
      WHERE owner_id = $1 AND first_recorded_at <= $3 AND recorded_at <= $3 AND (retracted_at IS NULL OR retracted_at > $3)
      GROUP BY 1, 2) AS counted
GROUP BY 1, 2

-- name: count_others
-- $1 owner_id. Keys: uq_graph_nodes_present, ix_graph_edges_until, ix_messages_owner_recorded, ix_messages_retracted,
-- pk_sessions, ix_documents_owner_recorded. One row.
SELECT (SELECT count(*) FROM graph_nodes WHERE owner_id = $1 AND retracted_at IS NULL) AS nodes,
       (SELECT count(*) FROM graph_nodes
        WHERE owner_id = $1 AND retracted_at IS NULL AND node_type NOT IN ('USER', 'MEMORY')) AS entities,
       (SELECT count(*) FROM graph_edges
        WHERE owner_id = $1 AND retracted_at IS NULL AND (valid_to IS NULL OR valid_to > now())) AS edges,
       (SELECT count(*) FROM messages WHERE owner_id = $1)
           - (SELECT count(*) FROM messages WHERE owner_id = $1 AND retracted_at IS NOT NULL) AS messages,
       (SELECT count(*) FROM sessions WHERE owner_id = $1) AS sessions,
       (SELECT count(*) FROM documents WHERE owner_id = $1 AND retracted_at IS NULL) AS documents

-- name: count_others_as_of
-- $1 owner_id, $2 the moment. Keys: pk_graph_nodes, pk_graph_edges, ix_messages_owner_recorded, ix_messages_retracted,
-- pk_sessions, ix_documents_owner_recorded. One row.
SELECT (SELECT count(*) FROM graph_nodes
        WHERE owner_id = $1 AND recorded_at <= $2 AND (retracted_at IS NULL OR retracted_at > $2)) AS nodes,
       (SELECT count(*) FROM graph_nodes
        WHERE owner_id = $1 AND recorded_at <= $2 AND (retracted_at IS NULL OR retracted_at > $2)
          AND node_type NOT IN ('USER', 'MEMORY')) AS entities,
       (SELECT count(*) FROM graph_edges
        WHERE owner_id = $1 AND recorded_at <= $2 AND (retracted_at IS NULL OR retracted_at > $2)
          AND (valid_to IS NULL OR valid_to > $2)) AS edges,
       (SELECT count(*) FROM messages WHERE owner_id = $1 AND recorded_at <= $2)
           - (SELECT count(*) FROM messages WHERE owner_id = $1 AND retracted_at <= $2) AS messages,
       (SELECT count(*) FROM sessions WHERE owner_id = $1 AND recorded_at <= $2) AS sessions,
       (SELECT count(*) FROM documents
        WHERE owner_id = $1 AND recorded_at <= $2 AND (retracted_at IS NULL OR retracted_at > $2)) AS documents

-- name: list_cold
-- $1 owner_id, $2 days, $3 and $4 cold_since and memory_id of the last row of the page before (null: first page), $5 how
-- many at most. Keys: ix_memories_present, ix_memory_accesses_last, pk_memory_accesses, uq_memories_present, pk_memories.
-- The coldest first. Of either kind as many rows as the page has are read, and those of the other kind that stand between.
SELECT {columns}, cold.cold_since, cold.access_count, cold.last_accessed_at
FROM ((SELECT idle.item_id AS cold_item, idle.first_recorded_at AS cold_since, idle.memory_id AS cold_memory,
              0::bigint AS access_count, NULL::timestamptz AS last_accessed_at
       FROM memories AS idle
       WHERE idle.owner_id = $1 AND idle.retracted_at IS NULL
         AND idle.first_recorded_at <= now() - make_interval(days => $2)
         AND (idle.first_recorded_at, idle.memory_id)
             > (coalesce($3::timestamptz, '-infinity'), coalesce($4::uuid, '00000000-0000-0000-0000-000000000000'))
         AND NOT EXISTS (SELECT FROM memory_accesses AS known
                         WHERE known.owner_id = $1 AND known.memory_id = idle.memory_id)
       ORDER BY idle.first_recorded_at, idle.memory_id LIMIT $5)
      UNION ALL
      (SELECT present.item_id, used.last_accessed_at, used.memory_id, used.access_count, used.last_accessed_at
       FROM memory_accesses AS used
       JOIN memories AS present ON present.owner_id = $1 AND present.memory_id = used.memory_id
                                   AND present.retracted_at IS NULL
       WHERE used.owner_id = $1 AND used.last_accessed_at <= now() - make_interval(days => $2)
         AND (used.last_accessed_at, used.memory_id)
             > (coalesce($3::timestamptz, '-infinity'), coalesce($4::uuid, '00000000-0000-0000-0000-000000000000'))
       ORDER BY used.last_accessed_at, used.memory_id LIMIT $5)
      ORDER BY cold_since, cold_memory LIMIT $5) AS cold
JOIN memories ON memories.owner_id = $1 AND memories.item_id = cold.cold_item
ORDER BY cold_since, memory_id

-- name: newest_at
-- $1 owner_id, $2 place[] of one kind, $3 as_of (null: now). Key: pk_search_items, one look-up for a place. The things that
-- stand at these places, the newest first: messages by when they were said, memories by when they were first stored.
SELECT item_id
FROM unnest($2::bigint[]) AS wanted (at)
CROSS JOIN LATERAL (
    SELECT item_id, CASE place >> 61 WHEN 0 THEN coalesce(event_at, created_at) ELSE created_at END AS moment
    FROM search_items
    WHERE owner_id = $1 AND place = wanted.at
      AND CASE WHEN $3::timestamptz IS NULL THEN retracted_at IS NULL
               ELSE recorded_at <= $3 AND (retracted_at IS NULL OR retracted_at > $3) END
    LIMIT 1) AS unit
GROUP BY item_id ORDER BY max(moment) DESC, item_id DESC

-- name: scan_memories
-- $1 owner_id, $2 a pattern (ILIKE), $3 as_of (null: now), $4 how many are looked at. Key: ix_memories_owner_created. For
-- what the index does not hold; the newest first.
SELECT item_id
FROM (SELECT item_id, content, first_recorded_at, memory_id FROM memories
      WHERE owner_id = $1
        AND CASE WHEN $3::timestamptz IS NULL THEN retracted_at IS NULL
                 ELSE recorded_at <= $3 AND (retracted_at IS NULL OR retracted_at > $3) END
      ORDER BY first_recorded_at DESC, memory_id DESC LIMIT $4) AS newest
WHERE content ILIKE $2 ORDER BY first_recorded_at DESC, memory_id DESC

-- name: scan_messages
-- As scan_memories, over messages. Key: ix_messages_owner_recorded.
SELECT message_id AS item_id
FROM (SELECT message_id, content, recorded_at FROM messages
      WHERE owner_id = $1
        AND CASE WHEN $3::timestamptz IS NULL THEN retracted_at IS NULL
                 ELSE recorded_at <= $3 AND (retracted_at IS NULL OR retracted_at > $3) END
      ORDER BY recorded_at DESC, message_id DESC LIMIT $4) AS newest
WHERE content ILIKE $2 ORDER BY recorded_at DESC, message_id DESC

-- name: memories_through
-- $1 owner_id; nodes: $2 node_type[], $3 node_id[]; $4 as_of (null: now), $5 how many of a node at most. Keys:
-- ix_pathways_node_memory read backwards, uq_memories_revision. The items of memories whose pathway goes through a node.
SELECT DISTINCT stood.item_id
FROM unnest($2::text[], $3::text[]) AS node (node_type, node_id)
CROSS JOIN LATERAL (
    SELECT memories.item_id FROM pathways
    JOIN memories ON memories.owner_id = $1 AND memories.memory_id = pathways.memory_id
    WHERE pathways.owner_id = $1 AND pathways.node_type = node.node_type AND pathways.node_id = node.node_id
      AND CASE WHEN $4::timestamptz IS NULL THEN pathways.retracted_at IS NULL AND memories.retracted_at IS NULL
               ELSE pathways.recorded_at <= $4 AND (pathways.retracted_at IS NULL OR pathways.retracted_at > $4)
                    AND memories.recorded_at <= $4 AND (memories.retracted_at IS NULL OR memories.retracted_at > $4) END
    ORDER BY pathways.memory_id DESC LIMIT $5) AS stood
