-- What can be found: units.

-- name: insert_items
-- $1 owner_id; arrays, one entry a unit: $2 place, $3 item_id, $4 memory_type, $5 length, $6 event_at, $7 recorded_at
-- (null: now), $8 created_at (null: as recorded_at), $9 speaker, $10 traits, $11 start_offset, $12 end_offset, $13 its terms
-- and $14 their frequencies, with a space between two of them; $15 whether the units wait for a vector. Keys:
-- pk_search_items, pk_unit_terms, pk_unembedded.
WITH units AS (
    INSERT INTO search_items (owner_id, place, item_id, memory_type, length, event_at, recorded_at, created_at, speaker,
                              traits, start_offset, end_offset)
    SELECT $1, place, item_id, memory_type, length, event_at, coalesce(recorded_at, record_time()),
           coalesce(created_at, recorded_at, record_time()), speaker, traits, start_offset, end_offset
    FROM unnest($2::bigint[], $3::uuid[], $4::text[], $5::integer[], $6::timestamptz[], $7::timestamptz[],
                $8::timestamptz[], $9::text[], $10::smallint[], $11::integer[], $12::integer[])
        AS given (place, item_id, memory_type, length, event_at, recorded_at, created_at, speaker, traits, start_offset,
                  end_offset)
), waiting AS (
    INSERT INTO unembedded (owner_id, place) SELECT $1, unnest($2) WHERE $15::boolean
)
INSERT INTO unit_terms (owner_id, place, length, terms, frequencies)
SELECT $1, place, length, string_to_array(terms, ' '), string_to_array(frequencies, ' ')::smallint[]
FROM unnest($2::bigint[], $5::integer[], $13::text[], $14::text[]) AS given (place, length, terms, frequencies)

-- name: retract_items
-- $1 owner_id, $2 item_id[]. Key: ix_search_items_item. Never before they were recorded, though this transaction may
-- have begun earlier.
UPDATE search_items SET retracted_at = greatest(record_time(), recorded_at)
WHERE owner_id = $1 AND item_id = ANY ($2::uuid[]) AND retracted_at IS NULL

-- name: erase_items
-- $1 owner_id, $2 item_id[]. Keys: ix_search_items_item, pk_unembedded. The places that are empty now (null: none).
WITH erased AS (
    DELETE FROM search_items WHERE owner_id = $1 AND item_id = ANY ($2::uuid[]) RETURNING place
), waiting AS (
    DELETE FROM unembedded WHERE owner_id = $1 AND place IN (SELECT place FROM erased)
)
SELECT array_agg(place ORDER BY place) FROM erased

-- name: list_places
-- $1 owner_id, $2 item_id[]. Key: ix_search_items_item. One row an item.
SELECT item_id, array_agg(place ORDER BY place) AS places
FROM search_items WHERE owner_id = $1 AND item_id = ANY ($2::uuid[]) GROUP BY item_id

-- name: list_unembedded
-- $1 owner_id, $2 how many at most, $3 how many characters stand for the beginning of a long message, $4 place[] to leave
-- out. Keys: pk_unembedded, pk_search_items and those of the things. With the text to embed: a message's begins with who
-- said it, where that is a name.
SELECT place, kind, item_id,
       CASE kind
           WHEN 'chunk' THEN (
               SELECT content FROM chunks WHERE owner_id = $1 AND chunk_id = item_id)
           WHEN 'memory' THEN (
               SELECT substr(content, start_offset + 1, end_offset - start_offset)
               FROM memories WHERE owner_id = $1 AND memories.item_id = search_items.item_id)
           ELSE (
               SELECT CASE WHEN lower(messages.speaker) IN ('', role) THEN '' ELSE messages.speaker || ': ' END
                      || substr(content, start_offset + 1,
                                CASE WHEN start_offset = 0 AND end_offset < length(content) THEN $3
                                     ELSE end_offset - start_offset END)
               FROM messages WHERE owner_id = $1 AND message_id = item_id)
       END AS text
FROM (SELECT place FROM unembedded WHERE owner_id = $1 AND place <> ALL ($4::bigint[]) ORDER BY place LIMIT $2) AS waiting
JOIN search_items USING (place)
WHERE search_items.owner_id = $1
ORDER BY place

-- name: list_same
-- $1 owner_id; arrays, one entry a unit: $2 place, $3 item_id. Key: pk_search_items. Those places that hold these items.
SELECT place FROM unnest($2::bigint[], $3::uuid[]) AS given (place, item_id)
JOIN search_items USING (place, item_id) WHERE owner_id = $1

-- name: count_unembedded
-- $1 owner_id. Key: pk_unembedded.
SELECT count(*) FROM unembedded WHERE owner_id = $1
