-- By now every session and every document has its number.

ALTER TABLE sessions ALTER COLUMN number SET NOT NULL;
ALTER TABLE documents ALTER COLUMN number SET NOT NULL;
CREATE UNIQUE INDEX uq_sessions_number ON sessions (owner_id, number);
CREATE UNIQUE INDEX uq_documents_number ON documents (owner_id, number);
