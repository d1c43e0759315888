-- Embedding spaces.

-- name: list_spaces
SELECT space_id, model, dims, table_name FROM embedding_spaces ORDER BY space_id
