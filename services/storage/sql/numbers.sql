-- Numbers of a user's things.

-- name: take_numbers
-- $1 owner_id, $2 counted, $3 how many. Key: pk_numbers. Returns the last of them.
INSERT INTO numbers (owner_id, counted, last_number) VALUES ($1, $2, $3)
ON CONFLICT (owner_id, counted) DO UPDATE SET last_number = numbers.last_number + excluded.last_number
RETURNING last_number
