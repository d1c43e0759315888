-- Memories and their revisions. {columns} stands for the list of columns that services/storage/memories.py reads.

-- name: find_repeated
-- $1 owner_id, $2 memory_type, $3 content, $4 slot, $5 event_at. Key: ix_memories_content. At most one row.
-- The present memory that says the same. One without a slot is said again by one that names it; the same event at
-- another time is another event.
SELECT {columns} FROM memories
WHERE owner_id = $1 AND retracted_at IS NULL
  AND hashtextextended(content, 0) = hashtextextended($3, 0) AND content = $3
  AND memory_type = $2 AND $4 IN ('', slot)
  AND (memory_type <> 'episodic' OR $5::timestamptz IS NULL OR event_at IS NULL OR event_at = $5)
ORDER BY (slot = $4) DESC, first_recorded_at, item_id
LIMIT 1

-- name: list_present_contents
-- $1 owner_id, $2 content[]. Key: ix_memories_content. Those of the contents that present memories have.
SELECT DISTINCT content FROM memories
WHERE owner_id = $1 AND retracted_at IS NULL AND content = ANY ($2::text[])
  AND hashtextextended(content, 0) = ANY (ARRAY(SELECT hashtextextended(given, 0) FROM unnest($2::text[]) AS given))

-- name: get_slot_holder
-- $1 owner_id, $2 slot. Key: uq_memories_slot. At most one row: who holds the slot, and since when it has been true.
SELECT memory_id, item_id, coalesce(event_at, recorded_at) AS true_since
FROM memories WHERE owner_id = $1 AND slot = $2 AND slot <> '' AND retracted_at IS NULL

-- name: retract_memory
-- $1 owner_id, $2 memory_id, $3 reason, $4 superseded_by (may be null). Key: uq_memories_present. At most one row.
-- Never before it was recorded, though this transaction may have begun earlier.
UPDATE memories SET retracted_at = greatest(record_time(), recorded_at), retracted_reason = $3, superseded_by = $4
WHERE owner_id = $1 AND memory_id = $2 AND retracted_at IS NULL
RETURNING item_id, retracted_at, memory_type, revision

-- name: insert_memory
-- One revision: $1 owner_id, then the columns in their order to $20 event_at; $21 first_recorded_at, $22 recorded_at and
-- $23 last_refreshed_at (null: now); $24 superseded_by: if set, the row is history from the start.
INSERT INTO memories (
    owner_id, item_id, memory_id, revision, memory_type, content, importance, confidence,
    emotion_valence, emotion_arousal, emotion_label, slot, category, tags, entities, metadata,
    source_message_ids, source_memory_ids, extraction_id, event_at,
    first_recorded_at, recorded_at, last_refreshed_at, retracted_at, retracted_reason, superseded_by)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    coalesce($21::timestamptz, $22::timestamptz, record_time()), coalesce($22, record_time()),
    coalesce($23::timestamptz, $22, record_time()),
    CASE WHEN $24::uuid IS NULL THEN NULL ELSE coalesce($22, record_time()) END,
    CASE WHEN $24 IS NULL THEN '' ELSE 'superseded' END, $24)

-- name: get_memory
-- $1 owner_id, $2 memory_id, $3 as_of (null: now). Key: uq_memories_revision. At most one row: the last revision that
-- was recorded by then.
SELECT {columns} FROM memories
WHERE owner_id = $1 AND memory_id = $2 AND ($3::timestamptz IS NULL OR recorded_at <= $3)
ORDER BY revision DESC
LIMIT 1

-- name: get_revisions
-- $1 owner_id, $2 item_id[]. Key: pk_memories.
SELECT {columns} FROM memories WHERE owner_id = $1 AND item_id = ANY ($2::uuid[])

-- name: get_recalled
-- $1 owner_id, $2 item_id[]. Keys: pk_memories, pk_memory_accesses. The same, with what is counted of each memory.
SELECT {columns}, access_count, last_accessed_at
FROM memories LEFT JOIN memory_accesses USING (owner_id, memory_id)
WHERE owner_id = $1 AND item_id = ANY ($2::uuid[])

-- name: list_memories
-- $1 owner_id, $2 as_of (null: now), $3 memory_types (null: all), $4 created_after, $5 created_before, $6 event_after,
-- $7 event_before (null: open), $8 tags, all of which must be there, $9 category and $10 a part of the content (empty: all),
-- $11 and $12 the last row of the page before (null: first page), $13 how many at most.
-- Key: ix_memories_owner_created. The newest first. What is rare is looked for through all of the user's memories.
SELECT {columns} FROM memories
WHERE owner_id = $1
  AND CASE WHEN $2::timestamptz IS NULL THEN retracted_at IS NULL
           ELSE recorded_at <= $2 AND (retracted_at IS NULL OR retracted_at > $2) END
  AND ($3::text[] IS NULL OR memory_type = ANY ($3))
  AND ($4::timestamptz IS NULL OR first_recorded_at >= $4)
  AND ($5::timestamptz IS NULL OR first_recorded_at < $5)
  AND ($6::timestamptz IS NULL OR event_at >= $6)
  AND ($7::timestamptz IS NULL OR event_at < $7)
  AND tags @> $8::text[]
  AND ($9::text = '' OR category = $9)
  AND ($10::text = '' OR position(lower($10) IN lower(content)) > 0)
  AND ($11::timestamptz IS NULL OR (first_recorded_at, memory_id) < ($11, $12::uuid))
ORDER BY first_recorded_at DESC, memory_id DESC
LIMIT $13

-- name: list_revisions
-- $1 owner_id, $2 memory_id, $3 and $4 the last row of the page before (null: first page), $5 how many at most, $6 as_of
-- (null: now). Key: uq_memories_revision. The memory's revisions, and those of the memories that took its slot after it, as
-- far as they were known; the oldest first.
WITH RECURSIVE line (memory_id) AS (
    SELECT $2::uuid
    UNION
    SELECT memories.superseded_by
    FROM line JOIN memories ON memories.owner_id = $1 AND memories.memory_id = line.memory_id
    WHERE memories.superseded_by IS NOT NULL AND ($6::timestamptz IS NULL OR memories.retracted_at <= $6))
SELECT {columns} FROM memories
WHERE owner_id = $1 AND memory_id IN (SELECT memory_id FROM line) AND ($6 IS NULL OR recorded_at <= $6)
  AND ($3::timestamptz IS NULL OR (recorded_at, item_id) > ($3, $4::uuid))
ORDER BY recorded_at, item_id
LIMIT $5
