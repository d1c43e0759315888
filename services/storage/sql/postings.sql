-- The inverted index: terms of single units, and postings packed into blocks. A posting is 14 bytes: place (8), frequency
-- (2), length (4).

-- name: pack
-- $1 owner_id, $2 the new block_id, $3 its level. Keys: pk_unit_terms, those of the blocks. All of the user's units that
-- have terms of their own become a block. How many there were.
WITH taken AS (
    DELETE FROM unit_terms WHERE owner_id = $1 RETURNING place, length, terms, frequencies
), block AS (
    INSERT INTO posting_blocks (owner_id, block_id, level, first_place, last_place)
    SELECT $1, $2, $3, min(place), max(place) FROM taken HAVING count(*) > 0
), packed AS (
    INSERT INTO packed_postings (owner_id, block_id, term, kind, packed)
    SELECT $1, $2, term, place >> 61,
           string_agg(int8send(place) || int2send(frequency) || int4send(length), ''::bytea ORDER BY place)
    FROM taken, unnest(terms, frequencies) AS held (term, frequency) GROUP BY term, place >> 61
)
SELECT count(*) FROM taken

-- name: list_blocks
-- $1 owner_id. Key: pk_posting_blocks.
SELECT block_id, level FROM posting_blocks WHERE owner_id = $1 ORDER BY block_id

-- name: merge
-- $1 owner_id, $2 block_id[], $3 the new block_id, $4 its level. Keys: those of the blocks. Makes one block of several.
WITH blocks AS (
    DELETE FROM posting_blocks WHERE owner_id = $1 AND block_id = ANY ($2::uuid[]) RETURNING first_place, last_place
), block AS (
    INSERT INTO posting_blocks (owner_id, block_id, level, first_place, last_place)
    SELECT $1, $3, $4, min(first_place), max(last_place) FROM blocks
), taken AS (
    DELETE FROM packed_postings WHERE owner_id = $1 AND block_id = ANY ($2::uuid[]) RETURNING term, kind, packed
)
INSERT INTO packed_postings (owner_id, block_id, term, kind, packed)
SELECT $1, $3, term, kind, string_agg(packed, ''::bytea) FROM taken GROUP BY term, kind

-- name: erase_single
-- $1 owner_id, $2 place[]. Key: pk_unit_terms.
DELETE FROM unit_terms WHERE owner_id = $1 AND place = ANY ($2::bigint[])

-- name: holding_blocks
-- $1 owner_id, $2 place[]. Keys: those of the blocks. The packed postings of every block whose range has one of the places.
SELECT block_id, term, kind, packed
FROM (SELECT block_id FROM posting_blocks
      WHERE owner_id = $1 AND EXISTS (
          SELECT FROM unnest($2::bigint[]) AS given (place) WHERE place BETWEEN first_place AND last_place)) AS holding
JOIN packed_postings USING (block_id)
WHERE packed_postings.owner_id = $1 AND kind = ANY (ARRAY(SELECT DISTINCT place >> 61 FROM unnest($2) AS given (place)))

-- name: repack
-- $1 owner_id; arrays, one entry for each row that changes: $2 block_id, $3 term, $4 kind, $5 packed, which may be empty.
-- Key: pk_packed_postings.
WITH given AS (
    SELECT * FROM unnest($2::uuid[], $3::text[], $4::smallint[], $5::bytea[]) AS given (block_id, term, kind, packed)
), emptied AS (
    DELETE FROM packed_postings AS kept USING given
    WHERE kept.owner_id = $1 AND kept.block_id = given.block_id AND kept.term = given.term AND kept.kind = given.kind
      AND given.packed = ''
)
UPDATE packed_postings AS kept SET packed = given.packed FROM given
WHERE kept.owner_id = $1 AND kept.block_id = given.block_id AND kept.term = given.term AND kept.kind = given.kind
  AND given.packed <> ''

-- name: read
-- $1 owner_id, $2 term[], $3 kind[], $4 how many postings at most. Keys: pk_posting_blocks, pk_packed_postings,
-- pk_unit_terms. One row for each term that occurs: its position in $2, from 0, how many postings it has, and these,
-- packed; null for the most common terms, which would make it more than $4. The rarest one is read in any case.
WITH parts AS MATERIALIZED (
    SELECT number, packed, octet_length(packed) / 14 AS postings
    FROM (
        SELECT number, packed
        FROM posting_blocks AS block
        CROSS JOIN unnest($2::text[]) WITH ORDINALITY AS wanted (term, number)
        CROSS JOIN unnest($3::smallint[]) AS chosen (kind)
        CROSS JOIN LATERAL (
            SELECT packed FROM packed_postings AS kept
            WHERE kept.owner_id = $1 AND kept.block_id = block.block_id AND kept.term = wanted.term
              AND kept.kind = chosen.kind LIMIT 1) AS found
        WHERE block.owner_id = $1
        UNION ALL
        SELECT array_position($2, term), string_agg(int8send(place) || int2send(frequency) || int4send(length), ''::bytea)
        FROM unit_terms, unnest(terms, frequencies) AS held (term, frequency)
        WHERE owner_id = $1 AND place >> 61 = ANY ($3) AND term = ANY ($2) GROUP BY term
    ) AS held
), sizes AS (
    SELECT number, sum(postings) AS postings,
           sum(sum(postings)) OVER (ORDER BY sum(postings), number) AS with_rarer,
           row_number() OVER (ORDER BY sum(postings), number) AS rank
    FROM parts GROUP BY number
)
SELECT (number - 1)::integer AS term, sizes.postings::bigint AS postings,
       CASE WHEN with_rarer <= $4::bigint OR rank = 1 THEN (
           SELECT string_agg(packed, ''::bytea) FROM parts WHERE parts.number = sizes.number) END AS packed
FROM sizes ORDER BY number
