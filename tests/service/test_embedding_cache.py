"""The embedding caches of several processes, which share nothing but the database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import numpy as np

from services.providers.embeddings.base import Vector, Vectors
from services.providers.embeddings.cache import CachedEmbedding
from services.runtime.database import Database
from services.vector.forgetting import CacheForgetter
from tests.conftest import TestDatabase
from tests.patience import PATIENCE, database_settings


class Lengths:
    """A model whose vectors tell the text's length; `gate` holds it up."""

    model, dims = "lengths", 2

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()

    async def embed(self, text: str) -> Vector:
        await self.gate.wait()
        return np.array([len(text), 1], np.float32)

    async def embed_batch(self, texts: Sequence[str]) -> Vectors:
        return np.stack([await self.embed(text) for text in texts])

    async def close(self) -> None:
        pass


@asynccontextmanager
async def process(
    test_database: TestDatabase,
) -> AsyncIterator[tuple[CachedEmbedding, Lengths, CacheForgetter]]:
    """What one vector process has of all this, listening."""
    inner = Lengths()
    cache = CachedEmbedding(inner, 100)
    stop = asyncio.Event()
    async with Database.open(database_settings(test_database.service_dsn)) as database:
        forgetter = CacheForgetter(cache, database)
        listening = asyncio.create_task(forgetter.listen(stop))
        try:
            yield cache, inner, forgetter
        finally:
            stop.set()
            await asyncio.wait_for(listening, PATIENCE)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def _listening(test_database: TestDatabase, processes: int) -> list[int]:
    """The sessions that listen, once there are so many."""
    connection = await asyncpg.connect(test_database.superuser_dsn)
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                rows = await connection.fetch(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                    " AND query ILIKE 'LISTEN%'"
                )
                if len(rows) == processes:
                    return [row["pid"] for row in rows]
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def test_every_process_forgets(test_database: TestDatabase) -> None:
    async with (
        process(test_database) as (here, _, forgetter),
        process(test_database) as (there, *_),
    ):
        await _listening(test_database, 2)
        for cache in (here, there):
            await cache.embed("one")
            await cache.embed_batch(["one", "four"])
            assert len(cache) == 2
        figures = await forgetter.forget_everywhere()
        assert (figures.entries, figures.capacity, figures.model) == (2, 100, "lengths")
        assert (figures.hits, figures.misses) == (1, 2)
        assert len(here) == 0
        await until(lambda: len(there) == 0)
        await there.embed("one")
        assert there.misses == 3


async def test_what_was_said_while_nobody_listened_is_not_missed(
    test_database: TestDatabase,
) -> None:
    async with process(test_database) as (cache, *_):
        (pid,) = await _listening(test_database, 1)
        await cache.embed("one")
        superuser = await asyncpg.connect(test_database.superuser_dsn)
        await superuser.execute("SELECT pg_terminate_backend($1)", pid)
        await superuser.close()
        await until(lambda: len(cache) == 0)
        assert await _listening(test_database, 1) != [pid]


async def test_what_is_being_embedded_is_forgotten_too(test_database: TestDatabase) -> None:
    async with process(test_database) as (cache, inner, forgetter):
        await _listening(test_database, 1)
        inner.gate.clear()
        single = asyncio.create_task(cache.embed("one"))
        batch = asyncio.create_task(cache.embed_batch(["four"]))
        await asyncio.sleep(0)
        await forgetter.forget_everywhere()
        inner.gate.set()
        assert (await single).tolist() == [3, 1]
        assert (await batch).tolist() == [[4, 1]]
        assert len(cache) == 0
