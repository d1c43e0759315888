-- Search of one user's items by words and by meaning. {vectors} stands for the table of the active embedding space.
-- Both arms take the same filters (services/storage/search.py, Filter), from $1 to $12:
-- $1 owner_id, $2 kinds, $3 as_of (null: now), $4 memory_types (null: all), $5 created_after, $6 created_before,
-- $7 event_after, $8 event_before (null: open), $9 file_types, $10 category (null: all).

-- name: by_words
-- BM25 (k1 1.2, b 0.75) of every item that has a term of the query. $11 terms. Keys: pk_postings, pk_search_items.
WITH view AS MATERIALIZED (
    SELECT item_id, length, {asked} AS asked
    FROM search_items AS item
    WHERE owner_id = $1 AND kind = ANY ($2) AND {stands}
), corpus AS (
    SELECT count(*)::float8 AS items, avg(length)::float8 AS mean_length FROM view
), matched AS MATERIALIZED (
    SELECT posting.term, item_id, view.asked,
           posting.frequency * 2.2::float8 / (posting.frequency + 1.2::float8 * (0.25 + 0.75 * view.length / mean_length)) AS weight
    FROM postings AS posting JOIN view USING (item_id) CROSS JOIN corpus
    WHERE posting.owner_id = $1 AND posting.term = ANY ($11::text[])
), rarity AS MATERIALIZED (
    SELECT term, ln(1 + (items - count(*)::float8 + 0.5) / (count(*)::float8 + 0.5)) AS idf
    FROM matched CROSS JOIN corpus GROUP BY term, items
)
SELECT item_id, sum(idf * weight) AS bm25
FROM matched JOIN rarity USING (term)
WHERE asked
GROUP BY item_id
ORDER BY bm25 DESC, item_id

-- name: by_meaning
-- Cosine, exact: every vector of the user's is compared. $11 the query's embedding, $12 how many at most.
-- Keys: the vector table's primary key, pk_search_items.
SELECT item_id, 1 - distance AS similarity
FROM (
    SELECT item_id, vectors.embedding <=> $11::halfvec AS distance
    FROM {vectors} AS vectors JOIN search_items AS item USING (owner_id, item_id)
    WHERE owner_id = $1 AND kind = ANY ($2) AND {stands} AND {asked}
    ORDER BY distance, item_id
    LIMIT $12
) AS nearest
ORDER BY distance, item_id
