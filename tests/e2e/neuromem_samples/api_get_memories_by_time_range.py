# Query memories by time range
mems = await nm.get_memories_by_time_range(user_id, start_time, end_time, memory_type=None, limit=50)
