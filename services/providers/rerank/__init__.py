"""Reranking models: each text of a few is read together with the query."""
