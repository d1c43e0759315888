-- The codes of one embedding space. {codes} stands for its table of single codes, {segments} for that of packed ones.

-- name: pack
-- $1 owner_id, $2 the new segment_id. Keys: the tables' primary keys. All of the user's single codes become a segment.
WITH taken AS (
    DELETE FROM {codes} WHERE owner_id = $1 RETURNING place, code)
INSERT INTO {segments} (owner_id, segment_id, level, first_place, last_place, places, codes)
SELECT $1, $2, 0, min(place), max(place),
       string_agg(int8send(place), ''::bytea ORDER BY place), string_agg(code, ''::bytea ORDER BY place)
FROM taken HAVING count(*) > 0

-- name: list_segments
-- $1 owner_id. Key: the segments' primary key.
SELECT segment_id, level FROM {segments} WHERE owner_id = $1 ORDER BY segment_id

-- name: take_segments
-- $1 owner_id, $2 segment_id[]. Key: the segments' primary key.
DELETE FROM {segments} WHERE owner_id = $1 AND segment_id = ANY ($2::uuid[]) RETURNING places, codes

-- name: insert_segment
-- $1 owner_id, $2 segment_id, $3 level, $4 first_place, $5 last_place, $6 places, $7 codes.
INSERT INTO {segments} (owner_id, segment_id, level, first_place, last_place, places, codes)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: holding_segments
-- $1 owner_id, $2 place[]. Key: the segments' primary key. Those whose range has one of the places.
SELECT segment_id, level, places FROM {segments}
WHERE owner_id = $1 AND EXISTS (
    SELECT FROM unnest($2::bigint[]) AS given (place) WHERE place BETWEEN first_place AND last_place)
