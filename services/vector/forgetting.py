"""Forgetting the embeddings that are kept in memory, in every process that keeps some."""

import asyncio
from dataclasses import dataclass

from services.providers.embeddings.cache import CachedEmbedding
from services.runtime.database import Database
from services.runtime.listening import listen
from services.runtime.scope import Scope
from services.storage.announcements import EMBEDDING_CACHE, announce


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """What a cache held, and how often it helped since its process started."""

    entries: int
    capacity: int
    hits: int
    misses: int
    model: str


class CacheForgetter:
    """Clears this process's cache when it is told to, here or in another process.

    Between processes the word goes by the database (NOTIFY).
    """

    def __init__(self, cache: CachedEmbedding, database: Database) -> None:
        self._cache = cache
        self._database = database

    async def forget_everywhere(self) -> CacheFigures:
        """Clears the cache here and tells all others; returns what was here before.

        Unavailable if the others could not be told; here it is cleared all the same.
        """
        cache = self._cache
        figures = CacheFigures(len(cache), cache.capacity, cache.hits, cache.misses, cache.model)
        cache.clear()
        async with self._database.transaction(Scope()) as connection:
            await announce(connection, EMBEDDING_CACHE)
        return figures

    async def listen(self, stop: asyncio.Event) -> None:
        """Clears the cache whenever anyone says so, until `stop`; and when that may be missed."""
        await listen(
            self._database,
            EMBEDDING_CACHE,
            stop,
            begun=self._cache.clear,
            heard=lambda _: self._cache.clear(),
        )
