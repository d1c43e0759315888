-- Many units at once. {vectors} stands for the table of the embedding space.

-- name: insert_vectors
-- $1 owner_id, $2 place[] in order, $3 embedding[] (halfvec). Key: the vectors' primary key.
INSERT INTO {vectors} (owner_id, place, embedding)
SELECT $1, place, embedding FROM unnest($2::bigint[], $3::halfvec[]) AS given (place, embedding)
