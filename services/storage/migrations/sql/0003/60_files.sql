-- Where in its page or file a chunk begins, as a reader would look it up. 0: stored before this was counted.

ALTER TABLE chunks
    ADD COLUMN line      integer NOT NULL DEFAULT 0,
    ADD COLUMN paragraph integer NOT NULL DEFAULT 0;

-- What an emotion profile rests on, the newest first; at most 1,000.
ALTER TABLE emotion_profiles ADD COLUMN source_memory_ids uuid[] NOT NULL DEFAULT '{}';

-- Finds what was felt of late.
CREATE INDEX ix_memories_felt ON memories (owner_id, recorded_at DESC, item_id DESC)
    WHERE emotion_valence IS NOT NULL AND retracted_at IS NULL AND memory_type <> 'insight';
