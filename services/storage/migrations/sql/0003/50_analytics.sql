-- What analytics counts and lists by.

-- Present memories by their age: counted without touching the table, and the coldest of those that were never accessed.
CREATE INDEX ix_memories_present ON memories (owner_id, first_recorded_at, memory_id) INCLUDE (memory_type)
    WHERE retracted_at IS NULL;
-- Counting without the table needs vacuum to have seen the newest rows.
ALTER TABLE memories SET (autovacuum_vacuum_insert_scale_factor = 0.05);
-- The coldest of those that were.
CREATE INDEX ix_memory_accesses_last ON memory_accesses (owner_id, last_accessed_at, memory_id);
-- Edges that stand, and until when they are true.
CREATE INDEX ix_graph_edges_until ON graph_edges (owner_id, valid_to) WHERE retracted_at IS NULL;
-- Messages that were taken back: all the others are counted by ix_messages_owner_recorded.
CREATE INDEX ix_messages_retracted ON messages (owner_id, retracted_at) WHERE retracted_at IS NOT NULL;
-- The memories that go through a node, the newest first: their ids are in the order of time.
CREATE INDEX ix_pathways_node_memory ON pathways (owner_id, node_type, node_id, memory_id);
