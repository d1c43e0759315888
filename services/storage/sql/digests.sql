-- Digests and the emotion profile they keep.

-- name: undigested
-- $1 owner_id, $2 limit. The oldest first. Key: ix_memories_undigested.
SELECT item_id, memory_id, memory_type, content, importance, emotion_valence, emotion_arousal, emotion_label,
       entities, category,
       -- When it happened; or else when it was said, which in an imported history is long ago.
       coalesce(event_at,
                (SELECT min(said_at) FROM messages
                 WHERE messages.owner_id = $1 AND message_id = ANY (memories.source_message_ids)),
                recorded_at) AS happened_at
FROM memories
WHERE owner_id = $1 AND digest_id IS NULL AND retracted_at IS NULL AND memory_type <> 'insight'
ORDER BY recorded_at, item_id LIMIT $2

-- name: recently_felt
-- $1 owner_id, $2 item_ids that are known already, $3 limit. Key: ix_memories_felt. The newest first, by record time.
SELECT item_id, memory_id, memory_type, content, importance, emotion_valence, emotion_arousal, emotion_label,
       entities, category,
       coalesce(event_at,
                (SELECT min(said_at) FROM messages
                 WHERE messages.owner_id = $1 AND message_id = ANY (memories.source_message_ids)),
                recorded_at) AS happened_at
FROM memories
WHERE owner_id = $1 AND emotion_valence IS NOT NULL AND retracted_at IS NULL AND memory_type <> 'insight'
  AND item_id <> ALL ($2::uuid[])
ORDER BY recorded_at DESC, item_id DESC LIMIT $3

-- name: known_insights
-- $1 owner_id, $2 limit. The newest first.
SELECT content FROM memories
WHERE owner_id = $1 AND memory_type = 'insight' AND retracted_at IS NULL
ORDER BY recorded_at DESC, memory_id DESC LIMIT $2

-- name: mark_digested
-- $1 owner_id, $2 item_ids, $3 digest_id. Key: pk_memories.
UPDATE memories SET digest_id = $3 WHERE owner_id = $1 AND item_id = ANY($2::uuid[])

-- name: count_undigested
-- $1 owner_id, $2 item_ids. Key: pk_memories.
SELECT count(*) FROM memories
WHERE owner_id = $1 AND item_id = ANY($2::uuid[]) AND digest_id IS NULL AND retracted_at IS NULL

-- name: insert_digest
-- $1 owner_id, $2 digest_id, $3 memories_analyzed, $4 insights_generated.
INSERT INTO digests (owner_id, digest_id, memories_analyzed, insights_generated) VALUES ($1, $2, $3, $4)

-- name: get_profile
-- $1 owner_id. Key: uq_emotion_profiles_present.
SELECT revision, latest_state, latest_state_period, latest_state_valence, latest_state_arousal, latest_state_updated_at,
       valence_sum, arousal_sum, source_count, label_counts, trigger_counts, last_reflected_at, source_memory_ids
FROM emotion_profiles WHERE owner_id = $1 AND retracted_at IS NULL

-- name: retract_profile
-- $1 owner_id. Key: uq_emotion_profiles_present.
UPDATE emotion_profiles SET retracted_at = now() WHERE owner_id = $1 AND retracted_at IS NULL

-- name: insert_profile
-- $1 owner_id, then the columns in their order.
INSERT INTO emotion_profiles (owner_id, revision, latest_state, latest_state_period, latest_state_valence,
    latest_state_arousal, latest_state_updated_at, valence_sum, arousal_sum, source_count, label_counts, trigger_counts,
    last_reflected_at, source_memory_ids)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
