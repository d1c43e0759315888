# Time-travel: rollback memories to a past point
await nm.rollback_memories(user_id, to_time=some_datetime)
