# Cold (unaccessed) memories
cold = await nm.cold_memories(user_id, threshold_days=90, limit=50)
# -> [{"id": ..., "content": ..., "access_count": 0, "last_accessed_at": None, ...}]
