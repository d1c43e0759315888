-- Memories in the search index.

-- name: memories_of_messages
-- $1 owner_id, $2 message_id[], $3 the first place of all memories, $4 the largest sequence that a place can hold. Keys:
-- pk_messages, pk_sessions, pk_search_items. One row a message: where it stands, and the last of its memories' places.
SELECT message_id, number, sequence,
       (SELECT max(place) FROM search_items
        WHERE owner_id = $1
          AND place BETWEEN $3::bigint + (number << 33) + (sequence << 11)
                        AND $3::bigint + (number << 33) + (sequence << 11) + 2047) AS last_place
FROM messages JOIN sessions USING (owner_id, session_id)
WHERE owner_id = $1 AND message_id = ANY ($2::uuid[]) AND sequence <= $4
