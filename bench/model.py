"""The system's default embedding model, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.providers.embeddings.base import EmbeddingProvider
from services.providers.embeddings.factory import create_embedding_provider
from services.providers.embeddings.settings import EmbeddingSettings

MODELS = Path(__file__).parents[1] / "build" / "models"
"""Assembled once per checkout, not once per run."""


@asynccontextmanager
async def model() -> AsyncIterator[EmbeddingProvider]:
    """The model for the time of the block."""
    provider = create_embedding_provider(EmbeddingSettings(), model_dir=MODELS)
    try:
        yield provider
    finally:
        await provider.close()
