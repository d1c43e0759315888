-- The read side of the search index. {vectors}, {codes}, {segments} stand for the tables of the active embedding space.

-- name: standing
-- $1 owner_id, $2 whether codes are asked for. Keys: pk_collection_sizes, ix_search_items_retracted, the codes' and the
-- segments' primary keys, pk_numbers, pk_search_items. One row: the sizes of the collection (messages, their length, memories, chunks
-- likewise), the epoch, who spoke lately, the retracted places, the segments that stand, and the codes that are in none.
-- Numbers are packed into bytes, which cost a client nothing to read.
SELECT (SELECT ARRAY[sum(messages), sum(messages_length), sum(memories), sum(memories_length), sum(chunks),
                     sum(chunks_length)]::bigint[] FROM collection_sizes WHERE owner_id = $1) AS sizes,
       -- Slots are random: a user who was erased and came again has others.
       (SELECT min(slot) FROM collection_sizes WHERE owner_id = $1) AS incarnation,
       (SELECT last_number FROM numbers WHERE owner_id = $1 AND counted = 'rewrite') AS rewrites,
       -- Of the last messages by their places, which are all below those of other kinds: read from the key's end.
       (SELECT array_agg(DISTINCT speaker) FROM (
            SELECT speaker FROM search_items WHERE owner_id = $1 AND place < 2305843009213693952
            ORDER BY place DESC LIMIT 64) AS latest) AS speakers,
       (SELECT string_agg(int8send(place), ''::bytea ORDER BY place) FROM search_items
        WHERE owner_id = $1 AND retracted_at IS NOT NULL) AS retracted,
       (SELECT array_agg(segment_id ORDER BY segment_id) FROM {segments} WHERE owner_id = $1 AND $2) AS segments,
       single.places, single.codes
FROM (SELECT string_agg(int8send(place), ''::bytea ORDER BY place) AS places,
             string_agg(code, ''::bytea ORDER BY place) AS codes
      FROM {codes} WHERE owner_id = $1 AND $2) AS single

-- name: get_segments
-- $1 owner_id, $2 segment_id[]. Key: the segments' primary key.
SELECT segment_id, places, codes FROM {segments} WHERE owner_id = $1 AND segment_id = ANY ($2::uuid[])

-- name: stood
-- $1 owner_id, $2 and $3 the first and last place of each span, $4 the moment. Key: pk_search_items.
SELECT string_agg(int8send(place), ''::bytea ORDER BY place) AS places, count(*) AS items,
       coalesce(sum(length), 0) AS total_length
FROM unnest($2::bigint[], $3::bigint[]) AS span (first, last)
JOIN search_items ON place BETWEEN span.first AND span.last
WHERE owner_id = $1 AND recorded_at <= $4 AND (retracted_at IS NULL OR retracted_at > $4)

-- name: allowed
-- $1 owner_id, $2 and $3 the first and last place of each span, $4 as_of (null: now), $5 memory_types (null: all),
-- $6 created_after, $7 created_before, $8 event_after, $9 event_before (null: open), $10 file_types, $11 category (null:
-- all). Keys: pk_search_items, ix_documents_owner_recorded.
SELECT string_agg(int8send(place), ''::bytea ORDER BY place)
FROM unnest($2::bigint[], $3::bigint[]) AS span (first, last)
JOIN search_items ON place BETWEEN span.first AND span.last
WHERE owner_id = $1
  AND CASE WHEN $4::timestamptz IS NULL THEN retracted_at IS NULL
           ELSE recorded_at <= $4 AND (retracted_at IS NULL OR retracted_at > $4) END
  AND (kind <> 'memory' OR $5::text[] IS NULL OR memory_type = ANY ($5))
  AND ($6::timestamptz IS NULL OR created_at >= $6) AND ($7::timestamptz IS NULL OR created_at < $7)
  AND ($8::timestamptz IS NULL OR event_at >= $8) AND ($9::timestamptz IS NULL OR event_at < $9)
  AND (kind <> 'chunk' OR ($10::text[] IS NULL AND $11::text IS NULL) OR ((place >> 33) & 268435455) IN (
      SELECT number FROM documents
      WHERE owner_id = $1 AND ($10 IS NULL OR file_type = ANY ($10)) AND ($11 IS NULL OR category = $11)))

-- name: describe
-- $1 owner_id, $2 place[]. Keys: pk_search_items and the vectors' primary key, one look-up of each for a place. (With
-- place = ANY ($2) a plan that doesn't know the places reads all of the user's.) One row, an entry for each unit in the
-- order of $2, packed: the places, item ids, lengths, traits, offsets, times (microseconds since 2000, the lowest number
-- for none), whether there is a vector, and the vectors as pgvector sends them (2 + 2 bytes, then big-endian half
-- floats); memory types and speakers as arrays.
SELECT string_agg(int8send(place), ''::bytea) AS places, string_agg(uuid_send(item_id), ''::bytea) AS item_ids,
       string_agg(int4send(length), ''::bytea) AS lengths, string_agg(int2send(traits), ''::bytea) AS traits,
       string_agg(int4send(start_offset), ''::bytea) AS starts, string_agg(int4send(end_offset), ''::bytea) AS ends,
       string_agg(timestamptz_send(coalesce(event_at, '-infinity')), ''::bytea) AS events,
       string_agg(timestamptz_send(created_at), ''::bytea) AS creations,
       string_agg(boolsend(vector IS NOT NULL), ''::bytea) AS embedded, string_agg(vector, ''::bytea) AS vectors,
       array_agg(memory_type) AS memory_types, array_agg(speaker) AS speakers
FROM (
    SELECT unit.*, stored.vector
    FROM unnest($2::bigint[]) WITH ORDINALITY AS wanted (at, number)
    CROSS JOIN LATERAL (
        SELECT place, item_id, memory_type, length, speaker, traits, start_offset, end_offset, event_at, created_at
        FROM search_items WHERE owner_id = $1 AND place = wanted.at LIMIT 1) AS unit
    LEFT JOIN LATERAL (
        SELECT halfvec_send(embedding) AS vector
        FROM {vectors} WHERE owner_id = $1 AND place = wanted.at LIMIT 1) AS stored ON true
    ORDER BY wanted.number
) AS described
