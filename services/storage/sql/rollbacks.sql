-- Bringing a past moment back. $1 owner_id, $2 the moment; $3 the record time of the rollback, later than that of all
-- other rows. The writer holds the owner's lock. Each family is read as a whole, once: a rollback looks at all there is.
-- What "stood" is what a read as of the moment sees. Transactions that overlapped may have left two holders of one slot,
-- or one statement twice, at some moment of the past; of these the one recorded last counts.

-- name: moment
-- $1 owner_id. Keys: those of the tables. Later than all that is recorded of the user, also where the clock was ahead of
-- ours, or is behind now.
SELECT greatest(clock_timestamp(), max(recorded) + interval '1 microsecond') FROM (
    SELECT greatest(max(recorded_at), max(retracted_at), max(last_refreshed_at)) FROM memories WHERE owner_id = $1
    UNION ALL SELECT greatest(max(recorded_at), max(retracted_at)) FROM pathways WHERE owner_id = $1
    UNION ALL SELECT greatest(max(recorded_at), max(retracted_at)) FROM graph_nodes WHERE owner_id = $1
    UNION ALL SELECT greatest(max(recorded_at), max(retracted_at)) FROM graph_edges WHERE owner_id = $1
    UNION ALL SELECT greatest(max(recorded_at), max(retracted_at)) FROM key_values WHERE owner_id = $1
    UNION ALL SELECT greatest(max(recorded_at), max(retracted_at)) FROM emotion_profiles WHERE owner_id = $1
    UNION ALL SELECT max(recorded_at) FROM digest_marks WHERE owner_id = $1
    UNION ALL SELECT max(recorded_at) FROM rollbacks WHERE owner_id = $1) AS known (recorded)

-- name: retract_memories
-- Keys: pk_memories, pk_memory_refreshes. What was taken back: what did not stand, or was something else before it was
-- said again.
WITH stood AS (
    SELECT DISTINCT ON (CASE slot WHEN '' THEN memory_id::text ELSE '/' || slot END) item_id
    FROM memories WHERE owner_id = $1 AND recorded_at <= $2 AND (retracted_at IS NULL OR retracted_at > $2)
    ORDER BY CASE slot WHEN '' THEN memory_id::text ELSE '/' || slot END, recorded_at DESC, item_id DESC)
UPDATE memories SET retracted_at = $3, retracted_reason = 'rolled_back'
WHERE owner_id = $1 AND retracted_at IS NULL AND (
    item_id NOT IN (SELECT item_id FROM stood)
    OR item_id IN (SELECT item_id FROM memory_refreshes WHERE owner_id = $1 AND recorded_at > $2))
RETURNING item_id, memory_id, memory_type, revision

-- name: lost_memories
-- Key: pk_memories. The item_ids that stood and stand no longer.
SELECT item_id FROM (
    SELECT DISTINCT ON (CASE slot WHEN '' THEN memory_id::text ELSE '/' || slot END) item_id, retracted_at
    FROM memories WHERE owner_id = $1 AND recorded_at <= $2 AND (retracted_at IS NULL OR retracted_at > $2)
    ORDER BY CASE slot WHEN '' THEN memory_id::text ELSE '/' || slot END, recorded_at DESC, item_id DESC) AS stood
WHERE retracted_at IS NOT NULL
ORDER BY item_id

-- name: restore_memories
-- $4 item_id[] and, in the same order, $5 those of their copies. Keys: pk_memories, uq_memories_revision, pk_digest_marks,
-- pk_memory_refreshes. As they were known.
WITH copies AS (
    INSERT INTO memories (
        owner_id, item_id, memory_id, revision, memory_type, content, importance, confidence, emotion_valence,
        emotion_arousal, emotion_label, slot, category, tags, entities, metadata, source_message_ids, source_memory_ids,
        extraction_id, digest_id, event_at, first_recorded_at, recorded_at, last_refreshed_at)
    SELECT memories.owner_id, given.copy, memory_id,
           1 + (SELECT max(revision) FROM memories AS known
                WHERE known.owner_id = $1 AND known.memory_id = memories.memory_id),
           memory_type, content, CASE WHEN before.item_id IS NULL THEN memories.importance ELSE before.importance END,
           confidence, emotion_valence, emotion_arousal, emotion_label, slot, category, tags, entities, metadata,
           source_message_ids[:coalesce(before.source_messages, cardinality(source_message_ids))],
           source_memory_ids[:coalesce(before.source_memories, cardinality(source_memory_ids))], extraction_id,
           (SELECT digest_id FROM digest_marks
            WHERE owner_id = $1 AND digest_marks.item_id = memories.item_id AND digest_marks.recorded_at <= $2
            ORDER BY digest_marks.recorded_at DESC LIMIT 1),
           event_at, first_recorded_at, $3, coalesce(before.last_refreshed_at, memories.last_refreshed_at)
    FROM unnest($4::uuid[], $5::uuid[]) AS given (item_id, copy) JOIN memories USING (item_id)
    LEFT JOIN LATERAL (
        SELECT * FROM memory_refreshes
        WHERE memory_refreshes.owner_id = $1 AND memory_refreshes.item_id = memories.item_id
          AND memory_refreshes.recorded_at > $2
        ORDER BY memory_refreshes.recorded_at LIMIT 1) AS before ON true
    WHERE memories.owner_id = $1
    RETURNING item_id, digest_id)
INSERT INTO digest_marks (owner_id, item_id, recorded_at, digest_id)
SELECT $1, item_id, $3, digest_id FROM copies WHERE digest_id IS NOT NULL

-- name: restore_marks
-- Keys: pk_memories, pk_digest_marks. Before the copies are made.
WITH changed AS (
    UPDATE memories SET digest_id = marked.digest_id
    FROM (SELECT item_id, (SELECT digest_id FROM digest_marks
                           WHERE owner_id = $1 AND digest_marks.item_id = present.item_id AND recorded_at <= $2
                           ORDER BY recorded_at DESC LIMIT 1) AS digest_id
          FROM memories AS present WHERE owner_id = $1 AND retracted_at IS NULL) AS marked
    WHERE owner_id = $1 AND memories.item_id = marked.item_id
      AND memories.digest_id IS DISTINCT FROM marked.digest_id
    RETURNING memories.item_id, memories.digest_id)
INSERT INTO digest_marks (owner_id, item_id, recorded_at, digest_id) SELECT $1, item_id, $3, digest_id FROM changed

-- name: retract_units
-- $1 owner_id, $2 item_id[], $3 the record time. Key: ix_search_items_item.
UPDATE search_items SET retracted_at = $3
WHERE owner_id = $1 AND item_id = ANY ($2::uuid[]) AND retracted_at IS NULL

-- name: retract_pathways
-- Key: pk_pathways.
UPDATE pathways SET retracted_at = $3
WHERE owner_id = $1 AND retracted_at IS NULL AND recorded_at > $2

-- name: restore_pathways
-- Key: pk_pathways.
INSERT INTO pathways (owner_id, memory_id, position, revision, node_type, node_id, recorded_at)
SELECT $1, memory_id, position,
       1 + (SELECT max(revision) FROM pathways AS known
            WHERE known.owner_id = $1 AND known.memory_id = stood.memory_id AND known.position = stood.position),
       node_type, node_id, $3
FROM pathways AS stood WHERE owner_id = $1 AND recorded_at <= $2 AND retracted_at > $2

-- name: retract_nodes
-- Key: uq_graph_nodes_present. How many.
WITH gone AS (
    UPDATE graph_nodes SET retracted_at = $3 WHERE owner_id = $1 AND retracted_at IS NULL AND recorded_at > $2 RETURNING 1)
SELECT count(*) FROM gone

-- name: restore_nodes
-- Key: pk_graph_nodes. How many.
WITH back AS (
    INSERT INTO graph_nodes (owner_id, node_type, node_id, revision, name, name_id, properties, first_recorded_at, recorded_at)
    SELECT DISTINCT ON (node_type, node_id) $1, node_type, node_id,
           1 + (SELECT max(revision) FROM graph_nodes AS known
                WHERE known.owner_id = $1 AND known.node_type = stood.node_type AND known.node_id = stood.node_id),
           name, name_id, properties, first_recorded_at, $3
    FROM graph_nodes AS stood WHERE owner_id = $1 AND recorded_at <= $2 AND retracted_at > $2
    ORDER BY node_type, node_id, revision DESC
    RETURNING 1)
SELECT count(*) FROM back

-- name: retract_edges
-- Key: uq_graph_edges_present. How many. What an edge that is over says of its end stays; only one that is open says that
-- it was rolled back.
WITH stood AS (
    SELECT DISTINCT ON (CASE WHEN valid_to IS NULL
                             THEN concat_ws(E'\x01', source_type, source_id, edge_type, custom_type, target_type, target_id)
                             ELSE edge_id::text END) edge_id, revision
    FROM graph_edges WHERE owner_id = $1 AND recorded_at <= $2 AND (retracted_at IS NULL OR retracted_at > $2)
    ORDER BY CASE WHEN valid_to IS NULL
                  THEN concat_ws(E'\x01', source_type, source_id, edge_type, custom_type, target_type, target_id)
                  ELSE edge_id::text END, recorded_at DESC, edge_id DESC
), gone AS (
    UPDATE graph_edges SET retracted_at = $3,
        closed_reason = CASE closed_reason WHEN '' THEN 'rolled_back' ELSE closed_reason END
    WHERE owner_id = $1 AND retracted_at IS NULL AND (edge_id, revision) NOT IN (SELECT edge_id, revision FROM stood)
    RETURNING 1)
SELECT count(*) FROM gone

-- name: restore_edges
-- Key: pk_graph_edges. How many. An open edge has no reason yet; one that is over was ended or superseded, whatever was
-- said of it when it was taken back.
WITH stood AS (
    SELECT DISTINCT ON (CASE WHEN valid_to IS NULL
                             THEN concat_ws(E'\x01', source_type, source_id, edge_type, custom_type, target_type, target_id)
                             ELSE edge_id::text END) *
    FROM graph_edges WHERE owner_id = $1 AND recorded_at <= $2 AND (retracted_at IS NULL OR retracted_at > $2)
    ORDER BY CASE WHEN valid_to IS NULL
                  THEN concat_ws(E'\x01', source_type, source_id, edge_type, custom_type, target_type, target_id)
                  ELSE edge_id::text END, recorded_at DESC, edge_id DESC
), back AS (
    INSERT INTO graph_edges (
        owner_id, edge_id, revision, source_type, source_id, edge_type, custom_type, target_type, target_id, weight,
        confidence, properties, content, valid_from, valid_to, first_recorded_at, recorded_at, closed_reason,
        superseded_by, source_message_ids, extraction_id)
    SELECT $1, edge_id,
           1 + (SELECT max(revision) FROM graph_edges AS known
                WHERE known.owner_id = $1 AND known.edge_id = stood.edge_id),
           source_type, source_id, edge_type, custom_type, target_type, target_id, weight, confidence, properties, content,
           valid_from, valid_to, first_recorded_at, $3,
           CASE WHEN valid_to IS NULL THEN ''
                WHEN closed_reason <> 'deleted' THEN closed_reason
                WHEN superseded_by IS NULL THEN 'ended'
                ELSE 'superseded' END,
           CASE WHEN valid_to IS NULL THEN NULL ELSE superseded_by END, source_message_ids, extraction_id
    FROM stood WHERE retracted_at IS NOT NULL
    RETURNING 1)
SELECT count(*) FROM back

-- name: retract_key_values
-- Key: uq_key_values_present. How many.
WITH gone AS (
    UPDATE key_values SET retracted_at = $3 WHERE owner_id = $1 AND retracted_at IS NULL AND recorded_at > $2 RETURNING 1)
SELECT count(*) FROM gone

-- name: restore_key_values
-- Key: pk_key_values. How many.
WITH back AS (
    INSERT INTO key_values (owner_id, namespace, key, revision, value, extraction_id, recorded_at)
    SELECT DISTINCT ON (namespace, key) $1, namespace, key,
           1 + (SELECT max(revision) FROM key_values AS known
                WHERE known.owner_id = $1 AND known.namespace = stood.namespace AND known.key = stood.key),
           value, extraction_id, $3
    FROM key_values AS stood WHERE owner_id = $1 AND recorded_at <= $2 AND retracted_at > $2
    ORDER BY namespace, key, revision DESC
    RETURNING 1)
SELECT count(*) FROM back

-- name: retract_emotion_profile
-- Key: uq_emotion_profiles_present. How many: one at most.
WITH gone AS (
    UPDATE emotion_profiles SET retracted_at = $3
    WHERE owner_id = $1 AND retracted_at IS NULL AND recorded_at > $2 RETURNING 1)
SELECT count(*) FROM gone

-- name: restore_emotion_profile
-- Key: pk_emotion_profiles. How many: one at most.
WITH back AS (
    INSERT INTO emotion_profiles (
        owner_id, revision, latest_state, latest_state_period, latest_state_valence, latest_state_arousal,
        latest_state_updated_at, valence_sum, arousal_sum, source_count, label_counts, trigger_counts, last_reflected_at,
        source_memory_ids, recorded_at)
    SELECT $1, 1 + (SELECT max(revision) FROM emotion_profiles WHERE owner_id = $1), latest_state, latest_state_period,
           latest_state_valence, latest_state_arousal, latest_state_updated_at, valence_sum, arousal_sum, source_count,
           label_counts, trigger_counts, last_reflected_at, source_memory_ids, $3
    FROM emotion_profiles WHERE owner_id = $1 AND recorded_at <= $2 AND retracted_at > $2
    ORDER BY revision DESC LIMIT 1
    RETURNING 1)
SELECT count(*) FROM back

-- name: insert_rollback
-- $1 owner_id, then the columns in their order. Key: pk_rollbacks.
INSERT INTO rollbacks (
    owner_id, rollback_id, to_time, recorded_at, undoes, memories_retracted, memories_restored, edges_retracted,
    edges_restored, nodes_retracted, nodes_restored, key_values_retracted, key_values_restored, emotion_profile_changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)

-- name: get_rollback
-- $1 owner_id, $2 rollback_id. Key: pk_rollbacks.
SELECT rollback_id, to_time, recorded_at, undoes, memories_retracted, memories_restored, edges_retracted,
       edges_restored, nodes_retracted, nodes_restored, key_values_retracted, key_values_restored, emotion_profile_changed
FROM rollbacks WHERE owner_id = $1 AND rollback_id = $2

-- name: list_rollbacks
-- $1 owner_id, $2 the last row's recorded_at (null: from the start), $3 how many. Key: uq_rollbacks_recorded. The newest
-- first.
SELECT rollback_id, to_time, recorded_at, undoes, memories_retracted, memories_restored, edges_retracted,
       edges_restored, nodes_retracted, nodes_restored, key_values_retracted, key_values_restored, emotion_profile_changed
FROM rollbacks WHERE owner_id = $1 AND recorded_at < coalesce($2::timestamptz, 'infinity')
ORDER BY recorded_at DESC LIMIT $3
