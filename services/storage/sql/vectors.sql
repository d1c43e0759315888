-- The vectors of one embedding space. {vectors} stands for their table, {codes} for that of their single codes.

-- name: lock_vectors
-- $1 owner_id. One writer of a user's vectors at a time. Held until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 1))

-- name: upsert_vectors
-- $1 owner_id, $2 place[] sorted, $3 embedding[] (halfvec), $4 code[], $5 space_id. Keys: the tables' primary keys.
-- One row: how many were stored, how many single codes there are now, and the places whose vector was another before.
-- The same vector stored again changes nothing.
WITH given AS MATERIALIZED (
    SELECT place, embedding, code
    FROM unnest($2::bigint[], $3::halfvec[], $4::bytea[]) AS given (place, embedding, code)
    JOIN search_items USING (place) WHERE owner_id = $1
), stored AS (
    INSERT INTO {vectors} AS stored (owner_id, place, embedding)
    SELECT $1, place, embedding FROM given ORDER BY place
    ON CONFLICT (owner_id, place) DO UPDATE SET embedding = excluded.embedding
        WHERE stored.embedding <> excluded.embedding
    RETURNING new.place, old.place IS NOT NULL AS replaced
), coded AS (
    INSERT INTO {codes} (owner_id, place, code)
    SELECT $1, place, code FROM given JOIN stored USING (place) ORDER BY place
    ON CONFLICT (owner_id, place) DO UPDATE SET code = excluded.code
    RETURNING old.place IS NULL AS added
), embedded AS (
    DELETE FROM unembedded WHERE owner_id = $1 AND place = ANY (ARRAY(SELECT place FROM given))
        AND (SELECT active FROM embedding_spaces WHERE space_id = $5)
)
SELECT (SELECT count(*) FROM given) AS stored,
       (SELECT count(*) FROM {codes} WHERE owner_id = $1) + (SELECT count(*) FROM coded WHERE added) AS single,
       (SELECT array_agg(place ORDER BY place) FROM stored WHERE replaced) AS replaced

-- name: paired_vectors
-- $1 owner_id, $2 item_id[] that have vectors and, in the same order, $3 item_id[] of the same texts. Keys:
-- ix_search_items_item and the vectors' primary key. The units of two such items go in pairs.
SELECT target.place, embedding
FROM unnest($2::uuid[], $3::uuid[]) AS given (source_id, target_id)
CROSS JOIN LATERAL (SELECT place, row_number() OVER (ORDER BY place) AS part FROM search_items
                    WHERE owner_id = $1 AND item_id = given.source_id) AS source
JOIN LATERAL (SELECT place, row_number() OVER (ORDER BY place) AS part FROM search_items
              WHERE owner_id = $1 AND item_id = given.target_id) AS target USING (part)
JOIN {vectors} AS vectors ON vectors.owner_id = $1 AND vectors.place = source.place

-- name: erase_vectors
-- $1 owner_id, $2 place[]. Keys: the tables' primary keys.
WITH codes AS (
    DELETE FROM {codes} WHERE owner_id = $1 AND place = ANY ($2::bigint[])
)
DELETE FROM {vectors} WHERE owner_id = $1 AND place = ANY ($2::bigint[])
