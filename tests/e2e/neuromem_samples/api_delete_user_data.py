# Delete ALL user data atomically (GDPR compliance)
result = await nm.delete_user_data(user_id)
# -> {"deleted": {"embeddings": 15, "graph_edges": 3, ...}}
