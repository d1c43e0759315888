"""Forgetting the embeddings that are kept in memory, in every process that keeps some."""

import asyncio
from dataclasses import dataclass

import asyncpg
import structlog

from services.providers.embeddings.cache import CachedEmbedding
from services.runtime.database import Database
from services.runtime.errors import Unavailable
from services.runtime.scope import Scope
from services.storage.announcements import EMBEDDING_CACHE, announce

log = structlog.get_logger("mnema.vector.forgetting")

_PAUSE_SECONDS = 1.0


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

    Between processes the word goes by the database (NOTIFY). Behind a PgBouncer in
    transaction mode nothing is heard: give vector processes a direct DSN there.
    """

    def __init__(
        self, cache: CachedEmbedding, database: Database, *, pause_seconds: float = _PAUSE_SECONDS
    ) -> None:
        """`pause_seconds` lie between two tries to listen while the database is away."""
        self._cache = cache
        self._database = database
        self._pause_seconds = pause_seconds

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
        """Clears the cache whenever anyone says so, until `stop`."""
        while not stop.is_set():
            try:
                await self._hear(stop)
            except (Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log.warning("cannot listen", error=str(error))
            try:
                await asyncio.wait_for(stop.wait(), self._pause_seconds)
            except TimeoutError:
                continue

    async def _hear(self, stop: asyncio.Event) -> None:
        """Listens until `stop` or until the connection is lost."""
        over = asyncio.Event()
        async with self._database.listening() as connection:
            connection.add_termination_listener(lambda _: over.set())
            await connection.add_listener(EMBEDDING_CACHE, lambda *_: self._cache.clear())
            # What was said while nobody listened here would be missed.
            self._cache.clear()
            waiting = [asyncio.ensure_future(each.wait()) for each in (stop, over)]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()
