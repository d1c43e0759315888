# Export all user data
data = await nm.export_user_data(user_id)
# -> {"memories": [...], "conversations": [...], "graph": {...}, "kv": [...], "profile": ..., "documents": [...]}
