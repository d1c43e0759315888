-- Where nothing else is said.
ALTER TABLE memories ALTER COLUMN first_recorded_at SET DEFAULT record_time();
ALTER TABLE memories ALTER COLUMN recorded_at SET DEFAULT record_time();
ALTER TABLE memories ALTER COLUMN last_refreshed_at SET DEFAULT record_time();
ALTER TABLE pathways ALTER COLUMN recorded_at SET DEFAULT record_time();
ALTER TABLE graph_nodes ALTER COLUMN first_recorded_at SET DEFAULT record_time();
ALTER TABLE graph_nodes ALTER COLUMN recorded_at SET DEFAULT record_time();
ALTER TABLE graph_edges ALTER COLUMN first_recorded_at SET DEFAULT record_time();
ALTER TABLE graph_edges ALTER COLUMN recorded_at SET DEFAULT record_time();
ALTER TABLE key_values ALTER COLUMN recorded_at SET DEFAULT record_time();
ALTER TABLE emotion_profiles ALTER COLUMN recorded_at SET DEFAULT record_time();
ALTER TABLE digests ALTER COLUMN recorded_at SET DEFAULT record_time();
ALTER TABLE search_items ALTER COLUMN created_at SET DEFAULT record_time();
ALTER TABLE search_items ALTER COLUMN recorded_at SET DEFAULT record_time();
