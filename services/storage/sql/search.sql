-- Search of one user's items by words and by meaning. {vectors} stands for the table of the active embedding space.

-- name: steady_plans
-- Until the transaction ends every statement is planned for its own arguments: a plan for any user and any filters would
-- take one of ten items for one of ten thousand. And `search` joins by hashing: just after many items came in, before
-- they are counted, a nested loop looks cheap and takes 250 times as long (6,000 items: 2 s).
SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_nestloop', 'off', true)

-- name: usual_plans
-- After `search`: the look-ups that follow are best done by nested loops.
SELECT set_config('enable_nestloop', 'on', true)

-- name: search
-- The candidates of both arms, in no order: at most $13 by words and $13 by meaning, and their places among all.
-- $1 owner_id, $2 kinds, $3 as_of (null: now), $4 memory_types (null: all), $5 created_after, $6 created_before,
-- $7 event_after, $8 event_before (null: open), $9 file_types, $10 category (null: all), $11 terms of the query,
-- $12 its embedding (null: by words alone), $13 candidates. Keys: pk_search_items, pk_postings, the vectors' primary key.
--
-- Words: BM25 with k1 1.2, b 0.75. The collection is what stands of the kinds asked for; the other filters choose
-- among its items and leave N, the mean length and the terms' counts as they are, so narrowing a search changes no score.
-- Meaning: cosine, exact: every vector that passes the filters is compared.
-- Places: scores are compared to 9 decimals, below which the order of summing shows; equal ones go by item_id.
WITH collection AS MATERIALIZED (
    SELECT item_id, kind, length,
           (kind <> 'memory' OR $4::text[] IS NULL OR memory_type = ANY ($4))
           AND ($5::timestamptz IS NULL OR created_at >= $5) AND ($6::timestamptz IS NULL OR created_at < $6)
           AND ($7::timestamptz IS NULL OR event_at >= $7) AND ($8::timestamptz IS NULL OR event_at < $8)
           AND (kind <> 'chunk' OR ($9::text[] IS NULL AND $10::text IS NULL) OR item_id IN (
               SELECT chunk_id FROM chunks JOIN documents USING (owner_id, file_id)
               WHERE owner_id = $1 AND ($9 IS NULL OR file_type = ANY ($9)) AND ($10 IS NULL OR category = $10))) AS chosen
    FROM search_items
    WHERE owner_id = $1 AND kind = ANY ($2::text[])
      AND CASE WHEN $3::timestamptz IS NULL THEN retracted_at IS NULL
               ELSE recorded_at <= $3 AND (retracted_at IS NULL OR retracted_at > $3) END
), size AS (
    SELECT count(*)::float8 AS items, avg(length)::float8 AS mean_length FROM collection
), matched AS MATERIALIZED (
    SELECT term, item_id, kind, chosen,
           frequency * 2.2::float8 / (frequency + 1.2::float8 * (0.25::float8 + 0.75::float8 * length / mean_length)) AS weight
    FROM postings JOIN collection USING (item_id) CROSS JOIN size
    WHERE postings.owner_id = $1 AND term = ANY ($11::text[])
), rarity AS MATERIALIZED (
    SELECT term, ln(1 + (items - count(*)::float8 + 0.5::float8) / (count(*)::float8 + 0.5::float8)) AS idf
    FROM matched CROSS JOIN size GROUP BY term, items
), scored AS (
    SELECT item_id, kind, sum(idf * weight) AS bm25
    FROM matched JOIN rarity USING (term) WHERE chosen GROUP BY item_id, kind
), by_words AS (
    SELECT item_id, kind, bm25, row_number() OVER (ORDER BY round(bm25 * 1e9) DESC, item_id) AS bm25_rank FROM scored
), nearest AS (
    SELECT item_id, kind, embedding <=> $12::halfvec AS distance
    FROM {vectors} AS vectors JOIN collection USING (item_id)
    WHERE vectors.owner_id = $1 AND chosen AND $12::halfvec IS NOT NULL
    ORDER BY distance, item_id
    LIMIT $13
), by_meaning AS (
    SELECT item_id, kind, 1 - distance AS similarity, row_number() OVER (ORDER BY distance, item_id) AS vector_rank
    FROM nearest
)
SELECT item_id, kind, similarity, vector_rank, bm25, bm25_rank
FROM by_words FULL JOIN by_meaning USING (item_id, kind)
WHERE bm25_rank <= $13 OR vector_rank IS NOT NULL

-- name: get_chunks
-- $1 owner_id, $2 chunk_id[]. Keys: pk_chunks, pk_documents.
SELECT chunk_id, file_id, filename, position, content, start_offset, end_offset, page
FROM chunks JOIN documents USING (owner_id, file_id)
WHERE owner_id = $1 AND chunk_id = ANY ($2::uuid[])
