"""A user's graph in a real database, with short ways to state and to read it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.runtime.database import Connection, Database, Scope
from services.runtime.ids import OwnerId
from services.storage import foundation
from services.storage.graph import Stated, Statement, state
from services.storage.graph_edges import EdgeRow, edge_of
from services.storage.relations import named
from tests.conftest import TestDatabase
from tests.store.owners import new_owner, opened


def year(number: int) -> datetime:
    return datetime(number, 1, 1, tzinfo=UTC)


def says(relation: str, target: str, subject: str = "Caroline", **more: Any) -> Statement:
    """A statement about a person; `custom_type` and the times are among `more`."""
    custom_type = more.pop("custom_type", "")
    return Statement(
        named("PERSON", subject), relation, custom_type, named("LOCATION", target), **more
    )


@dataclass(frozen=True)
class GraphWorld:
    """One user and their database."""

    database: Database
    scope: Scope
    owner_id: OwnerId

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        async with self.database.transaction(self.scope) as connection:
            await foundation.lock_owner(connection, self.owner_id)
            yield connection

    async def state(self, *statements: Statement) -> list[Stated]:
        async with self.writing() as connection:
            return await state(connection, self.owner_id, statements)

    async def now(self) -> datetime:
        """A moment after everything that was committed so far."""
        async with self.database.transaction(self.scope, readonly=True) as connection:
            moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
            return moment

    async def edges(self, as_of: datetime | None = None) -> list[EdgeRow]:
        """Every edge that stands, or stood at `as_of`."""
        async with self.database.transaction(self.scope, readonly=True) as connection:
            rows = await connection.fetch(
                "SELECT * FROM graph_edges WHERE CASE WHEN $1::timestamptz IS NULL"
                " THEN retracted_at IS NULL ELSE recorded_at <= $1"
                " AND (retracted_at IS NULL OR retracted_at > $1) END ORDER BY edge_id",
                as_of,
            )
        return [edge_of(row) for row in rows]

    async def spans(self, as_of: datetime | None = None) -> dict[str, tuple[Any, Any]]:
        """Target -> (valid_from, valid_to), each as a year or None; one span per target."""
        edges = await self.edges(as_of)
        spans = {
            edge.target.node_id: (
                edge.valid_from and edge.valid_from.year,
                edge.valid_to and edge.valid_to.year,
            )
            for edge in edges
        }
        assert len(spans) == len(edges)
        return spans

    async def count(self, table: str) -> int:
        async with self.database.transaction(self.scope, readonly=True) as connection:
            counted: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
            return counted


@asynccontextmanager
async def graph_world(test_database: TestDatabase) -> AsyncIterator[GraphWorld]:
    async with opened(test_database) as database:
        owner = await new_owner(database)
        yield GraphWorld(database, Scope(owner.tenant_id, owner.owner_id), owner.owner_id)
