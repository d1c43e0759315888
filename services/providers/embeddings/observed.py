"""Telling somebody about every embedding call that was really made."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.providers.embeddings.base import EmbeddingProvider, Vector, Vectors


@dataclass(frozen=True, slots=True)
class EmbeddingCall:
    """One call to a provider; texts answered from the cache are not in it."""

    text_count: int
    duration_ms: float
    model: str
    success: bool
    """False when the call raised or was cancelled."""


Observer = Callable[[EmbeddingCall], None]


class ObservedEmbedding:
    """Reports each call of the provider inside to `on_call`, on the event loop, after its end.

    `on_call` must be quick; what it raises reaches the caller of the provider.
    """

    def __init__(self, inner: EmbeddingProvider, on_call: Observer) -> None:
        self._inner = inner
        self._on_call = on_call

    @property
    def model(self) -> str:
        """The model of the provider inside."""
        return self._inner.model

    @property
    def dims(self) -> int:
        """The dimension of the provider inside."""
        return self._inner.dims

    async def embed(self, text: str) -> Vector:
        """The vector of one text."""
        started = time.perf_counter()
        success = False
        try:
            vector = await self._inner.embed(text)
            success = True
        finally:
            self._report(1, started, success)
        return vector

    async def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """The vectors of the texts."""
        started = time.perf_counter()
        success = False
        try:
            vectors = await self._inner.embed_batch(texts)
            success = True
        finally:
            self._report(len(texts), started, success)
        return vectors

    async def close(self) -> None:
        """Closes the provider inside."""
        await self._inner.close()

    def _report(self, text_count: int, started: float, success: bool) -> None:
        duration_ms = (time.perf_counter() - started) * 1000
        self._on_call(EmbeddingCall(text_count, duration_ms, self.model, success))
