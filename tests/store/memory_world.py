"""A user whose memories tests write and read, each step in a transaction of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from services.runtime.database import Connection
from services.storage import foundation
from services.storage.codes import SegmentCache
from services.storage.hybrid_search import Query, search
from services.storage.memories import (
    MemoryFilter,
    Remembered,
    get_memory,
    list_memories,
    list_revisions,
    remember,
    update_memory,
)
from services.storage.memory_rows import MemoryRow, NewMemory
from services.storage.search import Filter as SearchFilter
from services.text.terms import query_terms
from tests.conftest import TestDatabase
from tests.store.owners import Owner, new_owner, opened

MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))


def vector(place: int) -> NDArray[np.float32]:
    """A unit vector along one axis."""
    axis: NDArray[np.float32] = np.eye(1, 384, place, dtype=np.float32)[0]
    return axis


@dataclass
class World:
    """One user, and one transaction for each thing done."""

    owner: Owner

    async def remember(self, *new: NewMemory) -> list[Remembered]:
        async with self.writing() as connection:
            space = await foundation.active_space(connection)
            return await remember(connection, self.owner.owner_id, new, space)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        async with self.owner.transaction() as connection:
            await foundation.lock_owner(connection, self.owner.owner_id)
            yield connection

    async def get(self, memory_id: UUID, as_of: datetime | None = None) -> MemoryRow | None:
        async with self.owner.transaction() as connection:
            return await get_memory(connection, self.owner.owner_id, memory_id, as_of)

    async def present(self, as_of: datetime | None = None) -> list[str]:
        async with self.owner.transaction() as connection:
            rows = await list_memories(
                connection, self.owner.owner_id, MemoryFilter(as_of=as_of), 100
            )
        return [row.content for row in rows]

    async def found(self, words: str, along: int | None = None) -> list[UUID]:
        query = Query(query_terms(words), None if along is None else vector(along))
        async with self.owner.transaction() as connection:
            space = await foundation.active_space(connection)
            hits = await search(
                connection, self.owner.owner_id, space, query, SearchFilter(), 20, SegmentCache()
            )
        return [hit.item_id for hit in hits if hit.bm25 is not None or (hit.similarity or 0) > 0.5]

    async def revisions(self, memory_id: UUID) -> list[MemoryRow]:
        async with self.owner.transaction() as connection:
            return await list_revisions(connection, self.owner.owner_id, memory_id, 100)

    async def update(self, memory_id: UUID, changed: NewMemory) -> MemoryRow:
        async with self.writing() as connection:
            space = await foundation.active_space(connection)
            present = await get_memory(connection, self.owner.owner_id, memory_id)
            assert present is not None
            await update_memory(connection, self.owner.owner_id, present, changed, space)
            row = await get_memory(connection, self.owner.owner_id, memory_id)
            assert row is not None
            return row


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with opened(test_database) as database:
        yield World(await new_owner(database))
