-- Embedding spaces.

-- name: list_spaces
SELECT space_id, model, dims, table_name FROM embedding_spaces ORDER BY space_id

-- name: find_space
-- $1 model, $2 dims. At most one row.
SELECT space_id, model, dims, table_name, active FROM embedding_spaces WHERE model = $1 AND dims = $2

-- name: deactivate_spaces
-- Before another one is activated: at most one is active at any moment.
UPDATE embedding_spaces SET active = false WHERE active

-- name: activate_space
-- $1 space_id.
UPDATE embedding_spaces SET active = true WHERE space_id = $1

-- name: embedded_no_more
-- $1 owner_id. Keys: pk_unembedded, the vectors' primary key. What this space has a vector of does not wait for one.
DELETE FROM unembedded
WHERE owner_id = $1 AND EXISTS (
    SELECT FROM {vectors} AS stored WHERE stored.owner_id = $1 AND stored.place = unembedded.place)

-- name: await_vectors
-- $1 owner_id. Keys: pk_search_items, the vectors' primary key. What this space has no vector of waits for one. How many
-- wait.
WITH waiting AS (
    INSERT INTO unembedded (owner_id, place)
    SELECT $1, place FROM search_items
    WHERE owner_id = $1 AND NOT EXISTS (
        SELECT FROM {vectors} AS stored WHERE stored.owner_id = $1 AND stored.place = search_items.place)
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM waiting) + (SELECT count(*) FROM unembedded WHERE owner_id = $1)
