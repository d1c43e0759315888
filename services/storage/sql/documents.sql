-- Files: what is known of them, and their text in chunks.

-- name: insert_document
-- $1 owner_id, $2 file_id, $3 filename, $4 file_type, $5 mime_type, $6 size_bytes, $7 sha256, $8 object_key, $9 category,
-- $10 tags, $11 metadata, $12 source_type, $13 source_text (null: bytes are kept), $14 chunk_count. Key: pk_documents.
WITH numbered AS (
    INSERT INTO numbers (owner_id, counted, last_number) VALUES ($1, 'document', 1)
    ON CONFLICT (owner_id, counted) DO UPDATE SET last_number = numbers.last_number + 1
    RETURNING last_number
)
INSERT INTO documents (owner_id, file_id, filename, file_type, mime_type, size_bytes, sha256, object_key, category, tags,
                       metadata, source_type, source_text, chunk_count, number)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, last_number FROM numbered
RETURNING file_id, filename, file_type, mime_type, size_bytes, sha256, object_key, category, tags, metadata, source_type,
          chunk_count, recorded_at, number

-- name: insert_chunks
-- $1 owner_id, $2 file_id; arrays, one entry a chunk: $3 chunk_id, $4 position, $5 content, $6 start_offset,
-- $7 end_offset, $8 page, $9 line, $10 paragraph. Keys: pk_chunks, uq_chunks_position.
INSERT INTO chunks (owner_id, file_id, chunk_id, position, content, start_offset, end_offset, page, line, paragraph)
SELECT $1, $2, chunk_id, position, content, start_offset, end_offset, page, line, paragraph
FROM unnest($3::uuid[], $4::integer[], $5::text[], $6::bigint[], $7::bigint[], $8::integer[], $9::integer[],
            $10::integer[])
    AS given (chunk_id, position, content, start_offset, end_offset, page, line, paragraph)

-- name: get_chunks
-- $1 owner_id, $2 chunk_id[]. Keys: pk_chunks, pk_documents.
SELECT chunk_id, file_id, filename, position, content, start_offset, end_offset, page, line, paragraph
FROM chunks JOIN documents USING (owner_id, file_id)
WHERE owner_id = $1 AND chunk_id = ANY ($2::uuid[])

-- name: get_document
-- $1 owner_id, $2 file_id. Key: pk_documents.
SELECT file_id, filename, file_type, mime_type, size_bytes, sha256, object_key, category, tags, metadata, source_type,
       chunk_count, recorded_at, number
FROM documents WHERE owner_id = $1 AND file_id = $2 AND retracted_at IS NULL

-- name: get_source_text
-- $1 owner_id, $2 file_id. Key: pk_documents. Null for a file whose bytes are kept.
SELECT source_text FROM documents WHERE owner_id = $1 AND file_id = $2 AND retracted_at IS NULL

-- name: list_documents
-- $1 owner_id, $2 category (empty: all), $3 tags, all of which it carries, $4 file types (empty: all), $5 and $6 the last
-- row's recorded_at and file_id (null: from the start), $7 how many. Key: ix_documents_owner_recorded. The newest first.
SELECT file_id, filename, file_type, mime_type, size_bytes, sha256, object_key, category, tags, metadata, source_type,
       chunk_count, recorded_at, number
FROM documents
WHERE owner_id = $1 AND retracted_at IS NULL
  AND ($5::timestamptz IS NULL OR (recorded_at, file_id) < ($5, $6::uuid))
  AND ($2 = '' OR category = $2)
  AND tags @> $3::text[]
  AND (cardinality($4::text[]) = 0 OR file_type = ANY ($4))
ORDER BY recorded_at DESC, file_id DESC LIMIT $7

-- name: refers_to_object
-- $1 owner_id, $2 file_id, $3 object_key. Key: pk_documents.
SELECT EXISTS (SELECT FROM documents WHERE owner_id = $1 AND file_id = $2 AND object_key = $3)

-- name: lock_document
-- $1 owner_id, $2 file_id. Key: pk_documents. A second deletion waits, and finds none.
SELECT object_key FROM documents WHERE owner_id = $1 AND file_id = $2 FOR UPDATE

-- name: list_chunk_ids
-- $1 owner_id, $2 file_id. Key: uq_chunks_position.
SELECT chunk_id FROM chunks WHERE owner_id = $1 AND file_id = $2 ORDER BY position

-- name: delete_document
-- $1 owner_id, $2 file_id. Key: pk_documents. Its chunks go with it (fk_chunks_document).
DELETE FROM documents WHERE owner_id = $1 AND file_id = $2
