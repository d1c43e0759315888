-- A session that is erased looks for its extractions.
CREATE INDEX ix_extractions_session ON extractions (owner_id, session_id);
