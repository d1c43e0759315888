# Entity profile (cross-type)
profile = await nm.entity_profile(user_id, entity="Google")
# -> {"entity": ..., "facts": [...], "graph_relations": [...], "conversations": [...], "timeline": [...]}
