# Retry failed extractions
await nm.retry_failed_extractions(user_id, max_retries=3)
