# Clear embedding cache
nm.clear_embedding_cache()
