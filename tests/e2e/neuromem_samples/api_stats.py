# Memory statistics
stats = await nm.stats(user_id)
# -> {"total": 42, "by_type": {"fact": 20, ...}, "by_week": [...], "active_entities": 12, "profile_summary": ...}
