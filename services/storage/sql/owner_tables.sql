-- What the catalogue says of the tables that users' data stand in, and statements for any of them. {table} stands for a
-- table, {key} for the columns of its primary key, {columns} for some columns and {values} for what is put into them.

-- name: list_owner_tables
-- Every table with an owner_id: its columns (but those that PostgreSQL fills in) and their types, which of them are jsonb and
-- never null, which of these begin as an empty object, its primary key, and the tables that its foreign keys point to.
SELECT held.relname AS name,
       (SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = held.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = '') AS columns,
       (SELECT array_agg(format_type(atttypid, NULL) ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = held.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = '') AS types,
       (SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = held.oid AND attnum > 0 AND NOT attisdropped AND attnotnull AND atttypid = 'jsonb'::regtype) AS documents,
       (SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = held.oid AND atttypid = 'jsonb'::regtype AND pg_get_expr(adbin, adrelid) = '''{}''::jsonb') AS objects,
       (SELECT array_agg(attname::text ORDER BY part.position)
        FROM pg_index CROSS JOIN unnest(indkey) WITH ORDINALITY AS part (number, position)
        JOIN pg_attribute ON attrelid = held.oid AND attnum = part.number
        WHERE indrelid = held.oid AND indisprimary) AS key,
       (SELECT array_agg(DISTINCT target.relname::text)
        FROM pg_constraint JOIN pg_class AS target ON target.oid = confrelid
        WHERE conrelid = held.oid AND contype = 'f' AND confrelid <> held.oid) AS refers_to
FROM pg_class AS held
WHERE held.relkind IN ('r', 'p') AND NOT held.relispartition AND held.relnamespace = 'public'::regnamespace
  AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = held.oid AND attname = 'owner_id' AND NOT attisdropped)
ORDER BY held.relname

-- name: close_to_writers
-- $1 owner_id as text. Waits for the user's writing transactions to end, and lets none begin until this one ends: each of
-- them holds this lock in shared mode (services/runtime/opening.py).
SELECT pg_advisory_xact_lock(hashtextextended($1::text, 2))

-- name: act_for
-- $1 owner_id as text, or empty: whose rows this transaction sees from here on.
SELECT set_config('mnema.owner', $1, true)

-- name: erase_rows
-- $1 owner_id. Key: the table's primary key.
WITH erased AS (DELETE FROM {table} WHERE owner_id = $1 RETURNING 1) SELECT count(*) FROM erased

-- name: count_rows
-- $1 owner_id. Key: the table's primary key.
SELECT count(*) FROM {table} WHERE owner_id = $1

-- name: has_rows
-- $1 owner_id. Key: the table's primary key.
SELECT EXISTS (SELECT FROM {table} WHERE owner_id = $1)

-- name: open_records
-- A cursor over all rows of the user that the transaction acts for, as JSON. Key: the table's primary key.
DECLARE records NO SCROLL CURSOR FOR
SELECT (to_jsonb(held) - ARRAY['owner_id', 'tenant_id', 'user_id', 'object_key'])::text AS record
FROM {table} AS held WHERE owner_id = nullif(current_setting('mnema.owner', true), '')::uuid ORDER BY {key}

-- name: fetch_rows
-- Of an open cursor. What is prepared once stands for all tables: cursors of one name give rows of one form.
FETCH FORWARD {count} FROM {cursor}

-- name: close_cursor
CLOSE {cursor}

-- name: in_utc
-- So that times in JSON are in UTC, wherever the server stands.
SELECT set_config('TimeZone', 'UTC', true), now() AS moment

-- name: insert_records
-- $1 owner_id, $2 a JSON array of rows, as text.
INSERT INTO {table} ({columns})
SELECT {values} FROM jsonb_array_elements($2::text::jsonb) AS item, jsonb_populate_record(NULL::{table}, item) AS held
