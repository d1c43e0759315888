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
-- $1 owner_id, $2 item_ids, $3 digest_id. Keys: pk_memories, pk_digest_marks. What holds since when is kept. Never before
-- what is known of the row, though this transaction may have begun earlier.
WITH marked AS (
    UPDATE memories SET digest_id = $3 WHERE owner_id = $1 AND item_id = ANY($2::uuid[]) RETURNING item_id, recorded_at)
INSERT INTO digest_marks (owner_id, item_id, recorded_at, digest_id)
SELECT $1, item_id, greatest(record_time(), recorded_at, (SELECT max(recorded_at) FROM digest_marks
                                                  WHERE owner_id = $1 AND digest_marks.item_id = marked.item_id)), $3
FROM marked
ON CONFLICT (owner_id, item_id, recorded_at) DO UPDATE SET digest_id = excluded.digest_id

-- name: count_undigested
-- $1 owner_id, $2 item_ids. Key: pk_memories.
SELECT count(*) FROM memories
WHERE owner_id = $1 AND item_id = ANY($2::uuid[]) AND digest_id IS NULL AND retracted_at IS NULL

-- name: queue_digest
-- $1 owner_id, $2 digest_id, $3 trigger, $4 batch_size, $5 max_attempts. It waits for its job.
INSERT INTO digests (owner_id, digest_id, state, trigger, batch_size, max_attempts) VALUES ($1, $2, 'pending', $3, $4, $5)

-- name: insert_running
-- $1 owner_id, $2 digest_id, $3 batch_size. It is under way in this transaction.
INSERT INTO digests (owner_id, digest_id, state, batch_size, started_at) VALUES ($1, $2, 'running', $3, now())

-- name: another_runs
-- $1 owner_id, $2 digest_id. Key: ix_digests_owner_running. One that has run for longer has lost its job.
SELECT EXISTS (SELECT FROM digests WHERE owner_id = $1 AND state = 'running' AND digest_id <> $2
               AND started_at > now() - interval '10 minutes')

-- name: begin_digest
-- $1 owner_id, $2 digest_id. Key: pk_digests. No row if it has ended.
UPDATE digests SET state = 'running', started_at = now()
WHERE owner_id = $1 AND digest_id = $2 AND state IN ('pending', 'running')
RETURNING trigger, batch_size, attempts

-- name: finish_digest
-- $1 owner_id, $2 digest_id, $3 memories_analyzed, $4 item_id[] of the insights, $5 the profile's revision (null: none was
-- written). Key: pk_digests.
UPDATE digests SET state = 'done', attempts = attempts + 1, error = '', error_reason = '', memories_analyzed = $3,
    insight_items = $4, insights_generated = cardinality($4::uuid[]), profile_revision = $5, finished_at = now()
WHERE owner_id = $1 AND digest_id = $2 AND state = 'running'

-- name: note_digest_failure
-- $1 owner_id, $2 digest_id, $3 error, $4 error_reason, $5 the attempts that this run began with. Key: pk_digests.
-- The last attempt makes it failed. No row if another run of the same job has got further.
UPDATE digests SET attempts = attempts + 1, error = $3, error_reason = $4,
    state = CASE WHEN attempts + 1 >= max_attempts THEN 'failed' ELSE 'pending' END,
    finished_at = CASE WHEN attempts + 1 >= max_attempts THEN now() END
WHERE owner_id = $1 AND digest_id = $2 AND state = 'running' AND attempts = $5
RETURNING attempts, state = 'failed' AS failed

-- name: get_digest
-- $1 owner_id, $2 digest_id. Key: pk_digests.
SELECT digest_id, state, trigger, batch_size, attempts, error, error_reason, memories_analyzed, insights_generated,
       recorded_at, started_at, finished_at, insight_items, profile_revision
FROM digests WHERE owner_id = $1 AND digest_id = $2

-- name: list_digests
-- $1 owner_id, $2 state (empty: any), $3 and $4 the last row's recorded_at and digest_id (null: from the start), $5 how
-- many. Key: ix_digests_owner_recorded.
SELECT digest_id, state, trigger, batch_size, attempts, error, error_reason, memories_analyzed, insights_generated,
       recorded_at, started_at, finished_at, insight_items, profile_revision
FROM digests
WHERE owner_id = $1 AND ($2 = '' OR state = $2)
  AND (recorded_at, digest_id) < (coalesce($3::timestamptz, 'infinity'), coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
ORDER BY recorded_at DESC, digest_id DESC LIMIT $5

-- name: insights_by_item
-- $1 owner_id, $2 item_id[]. Key: pk_memories. In the order of the ids.
SELECT memory_id, content, category, source_memory_ids
FROM unnest($2::uuid[]) WITH ORDINALITY AS given (item_id, position)
JOIN memories USING (item_id) WHERE owner_id = $1 ORDER BY position

-- name: count_messages
-- $1 owner_id, $2 the extraction that is done. Keys: pk_users, ix_messages_extraction. Gives the count since the last digest.
UPDATE users SET undigested_messages = undigested_messages + (
    SELECT count(*) FROM messages WHERE owner_id = $1 AND extraction_id = $2 AND role = 'user' AND retracted_at IS NULL)
WHERE owner_id = $1
RETURNING undigested_messages

-- name: get_counted
-- $1 owner_id. Key: pk_users.
SELECT undigested_messages FROM users WHERE owner_id = $1

-- name: uncount_messages
-- $1 owner_id, $2 how many a digest has covered. Key: pk_users.
UPDATE users SET undigested_messages = greatest(undigested_messages - $2, 0) WHERE owner_id = $1

-- name: get_profile
-- $1 owner_id, $2 as of (null: now). Key: pk_emotion_profiles.
SELECT revision, latest_state, latest_state_period, latest_state_valence, latest_state_arousal, latest_state_updated_at,
       valence_sum, arousal_sum, source_count, label_counts, trigger_counts, last_reflected_at, source_memory_ids
FROM emotion_profiles
WHERE owner_id = $1
  AND CASE WHEN $2::timestamptz IS NULL THEN retracted_at IS NULL
           ELSE recorded_at <= $2 AND (retracted_at IS NULL OR retracted_at > $2) END

-- name: get_profile_revision
-- $1 owner_id, $2 revision. Key: pk_emotion_profiles.
SELECT revision, latest_state, latest_state_period, latest_state_valence, latest_state_arousal, latest_state_updated_at,
       valence_sum, arousal_sum, source_count, label_counts, trigger_counts, last_reflected_at, source_memory_ids
FROM emotion_profiles WHERE owner_id = $1 AND revision = $2

-- name: retract_profile
-- $1 owner_id. Key: uq_emotion_profiles_present. Never before it was recorded.
UPDATE emotion_profiles SET retracted_at = greatest(record_time(), recorded_at) WHERE owner_id = $1 AND retracted_at IS NULL

-- name: insert_profile
-- $1 owner_id, then the columns in their order, but for the revision: that follows the last one, even if it was taken
-- back. Recorded when the one before ends, or later.
INSERT INTO emotion_profiles (owner_id, revision, latest_state, latest_state_period, latest_state_valence,
    latest_state_arousal, latest_state_updated_at, valence_sum, arousal_sum, source_count, label_counts, trigger_counts,
    last_reflected_at, source_memory_ids, recorded_at)
SELECT $1, 1 + coalesce(max(revision), 0), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
       greatest(record_time(), max(retracted_at))
FROM emotion_profiles WHERE owner_id = $1
