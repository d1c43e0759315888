"""Embeddings as ingest asks for them, and where it gets them from."""

from collections.abc import Sequence
from typing import Protocol

import grpc

from services.contract.embedder import MAX_TEXTS, Vector, VectorEmbedder
from services.contract.user import User
from services.runtime import context
from services.storage.foundation import EmbeddingSpace

__all__ = ["MAX_TEXTS", "Embedder", "RpcEmbedder", "Vector"]


class Embedder(Protocol):
    """Turns texts into vectors of one embedding space."""

    async def embed(self, user: User, texts: Sequence[str], space: EmbeddingSpace) -> list[Vector]:
        """One vector for each text, in their order, float32 (space.dims,), of unit length.

        Raises a MnemaError if they can't be had now: Unavailable, ResourceExhausted (perhaps
        with `retry_after`), DeadlineExceeded; FailedPrecondition if the model is not the
        space's.
        """
        ...


class RpcEmbedder:
    """Asks the vector service, as this service on behalf of the user: jobs have no caller."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._embedder = VectorEmbedder(channel)

    async def embed(self, user: User, texts: Sequence[str], space: EmbeddingSpace) -> list[Vector]:
        """See Embedder."""
        with context.act_for(user.tenant_id, user.user_id):
            return await self._embedder.embed(texts, space)
