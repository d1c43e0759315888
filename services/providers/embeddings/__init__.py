"""Texts to vectors: a local model, an OpenAI-compatible service, or a class of the user's.

Importing this package loads neither onnxruntime nor openai.
"""

from services.providers.embeddings.base import EmbeddingProvider, UserEmbedding, Vector, Vectors
from services.providers.embeddings.cache import CachedEmbedding
from services.providers.embeddings.factory import create_embedding_provider
from services.providers.embeddings.observed import EmbeddingCall
from services.providers.embeddings.settings import EmbeddingSettings

__all__ = [
    "CachedEmbedding",
    "EmbeddingCall",
    "EmbeddingProvider",
    "EmbeddingSettings",
    "UserEmbedding",
    "Vector",
    "Vectors",
    "create_embedding_provider",
]
