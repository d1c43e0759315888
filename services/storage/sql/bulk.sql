-- Many units at once. {vectors} stands for the table of the embedding space.

-- name: insert_items
-- $1 owner_id; arrays, one entry a unit, in the order of places: $2 place, $3 item_id, $4 memory_type, $5 length,
-- $6 event_at, $7 recorded_at (null: now), $8 created_at (null: as recorded_at), $9 speaker, $10 traits, $11 start_offset,
-- $12 end_offset. Key: pk_search_items.
INSERT INTO search_items (owner_id, place, item_id, memory_type, length, event_at, recorded_at, created_at, speaker,
                          traits, start_offset, end_offset)
SELECT $1, place, item_id, memory_type, length, event_at, coalesce(recorded_at, now()),
       coalesce(created_at, recorded_at, now()), speaker, traits, start_offset, end_offset
FROM unnest($2::bigint[], $3::uuid[], $4::text[], $5::integer[], $6::timestamptz[], $7::timestamptz[],
            $8::timestamptz[], $9::text[], $10::smallint[], $11::integer[], $12::integer[])
    AS given (place, item_id, memory_type, length, event_at, recorded_at, created_at, speaker, traits, start_offset,
              end_offset)

-- name: insert_postings
-- $1 owner_id; arrays, one entry a posting, in the key's order: $2 term, $3 place, $4 frequency, $5 length. Key: pk_postings.
INSERT INTO postings (owner_id, term, place, frequency, length)
SELECT $1, term, place, frequency, length
FROM unnest($2::text[], $3::bigint[], $4::smallint[], $5::integer[]) AS given (term, place, frequency, length)

-- name: insert_vectors
-- $1 owner_id, $2 place[] in order, $3 embedding[] (halfvec). Key: the vectors' primary key.
INSERT INTO {vectors} (owner_id, place, embedding)
SELECT $1, place, embedding FROM unnest($2::bigint[], $3::halfvec[]) AS given (place, embedding)
