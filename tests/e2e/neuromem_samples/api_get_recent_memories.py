# Get recent memories (shortcut)
mems = await nm.get_recent_memories(user_id, days=7, memory_types=None, limit=50)
