-- When what this transaction writes was learnt: the moment at which it had its user's memory to itself
-- (services/storage/foundation.py), for until then others wrote, and read without it. Without that lock: when it began.
CREATE OR REPLACE FUNCTION record_time() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting('mnema.moment', true), '')::timestamptz, now()) $$;
GRANT EXECUTE ON FUNCTION record_time TO mnema_service;
