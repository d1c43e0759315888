"""Users of any size, written straight into the tables: what ingest would take hours for."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr
from rich.progress import Progress

from bench.corpus import Corpus, Made
from bench.model import model
from bench.system import System
from services.runtime.config import DatabaseSettings
from services.runtime.database import Connection, Database
from services.runtime.ids import OwnerId, TenantId, new_id, owner_of
from services.runtime.scope import Scope
from services.storage import bulk
from services.storage.foundation import EmbeddingSpace, active_space, register_user
from services.storage.places import memory_place
from services.storage.search_items import IndexedItem
from services.text.terms import analyze

PORTION = 10_000
SESSION = 20
"""Memories of one session: their places are neighbours."""

_LEDGER = "bench.json"
_STATEMENT_SECONDS = 3600.0
_MEMORY_COLUMNS = (
    "owner_id",
    "item_id",
    "memory_id",
    "memory_type",
    "content",
    "importance",
    "event_at",
)
_TYPES = ("fact", "episodic", "preference", "general")


async def corpus_of() -> Corpus:
    """The corpus, with the vectors of the system's default model."""
    async with model() as provider:
        return await Corpus.embedded(provider)


def place_of(number: int) -> int:
    """Where the memory of this number stands, from 0: twenty a session, one a message."""
    return memory_place(1 + number // SESSION, 1 + number % SESSION, 0)


@dataclass(frozen=True, slots=True)
class _Portion:
    """Memories as they are written: `records` without their owner."""

    records: Sequence[tuple[object, ...]]
    items: list[IndexedItem]
    vectors: NDArray[np.float32]


class Loader:
    """Loads users into a running system, as its superuser. Made by `open`.

    What is loaded is written down in the home, so a home that is kept is loaded once.
    """

    def __init__(
        self, system: System, corpus: Corpus, database: Database, space: EmbeddingSpace
    ) -> None:
        """`database` is reached past the walls between users: COPY does not go through them."""
        self._corpus = corpus
        self._database = database
        self._space = space
        self._tenant_id = TenantId(UUID(system.stack.credentials.tenant_id))
        self._ledger = system.stack.home / _LEDGER

    @classmethod
    @asynccontextmanager
    async def open(cls, system: System, corpus: Corpus) -> AsyncIterator[Self]:
        """A loader for the time of the block."""
        settings = DatabaseSettings(
            dsn=SecretStr(system.stack.postgres.access().superuser_dsn),
            pool_max=2,
            command_timeout_seconds=_STATEMENT_SECONDS,
        )
        async with Database.open(settings) as database:
            async with database.transaction(Scope(), readonly=True) as connection:
                space = await active_space(connection)
            yield cls(system, corpus, database, space)

    async def load(self, number: int, count: int, bar: Progress) -> str:
        """Makes the user of this number, of so many memories, unless there is one; the user id."""
        user_id = f"bench-{number}-{count}"
        loaded = _read(self._ledger)
        if user_id in loaded:
            return user_id
        owner_id = self.owner_id(user_id)
        scope = Scope(self._tenant_id, owner_id)
        task = bar.add_task(f"load a user of {count:,}", total=count)
        async with self._database.transaction(scope) as connection:
            await register_user(connection, owner_id, self._tenant_id, user_id)
            portions = self._corpus.memories(number, count, PORTION)
            start = 0
            ahead = _next_of(portions, start)
            while portion := await ahead:
                # The next one is made while PostgreSQL writes this one.
                start += len(portion.items)
                ahead = _next_of(portions, start)
                await self._write(connection, owner_id, portion)
                bar.update(task, completed=start)
        bar.remove_task(task)
        self._ledger.write_text(json.dumps({**loaded, user_id: count}), encoding="utf-8")
        return user_id

    def owner_id(self, user_id: str) -> OwnerId:
        """The key of a user of the stack's tenant."""
        return owner_of(self._tenant_id, user_id)

    async def settle(self) -> None:
        """VACUUM and ANALYZE, as autovacuum would have done by and by; then a checkpoint."""
        async with self._database.pool.acquire() as connection:
            await connection.execute("VACUUM (ANALYZE)", timeout=_STATEMENT_SECONDS)
            await connection.execute("CHECKPOINT", timeout=_STATEMENT_SECONDS)

    async def database_bytes(self) -> int:
        """What the database takes on disk."""
        size: int = await self._database.pool.fetchval(
            "SELECT pg_database_size(current_database())"
        )
        return size

    async def _write(self, connection: Connection, owner_id: OwnerId, portion: _Portion) -> None:
        await connection.copy_records_to_table(
            "memories",
            columns=_MEMORY_COLUMNS,
            records=[(owner_id, *record) for record in portion.records],
        )
        await bulk.load(connection, owner_id, self._space, portion.items, portion.vectors)


def _next_of(portions: Iterator[Made], start: int) -> "asyncio.Task[_Portion | None]":
    return asyncio.create_task(asyncio.to_thread(_portion, portions, start))


def _portion(portions: Iterator[Made], start: int) -> _Portion | None:
    """The next portion, whose first memory has the number `start`; None after the last."""
    made = next(portions, None)
    if made is None:
        return None
    records, items = [], []
    for number, (text, moment) in enumerate(zip(made.texts, made.moments, strict=True), start):
        item_id, memory_type = new_id(), _TYPES[number % len(_TYPES)]
        records.append((item_id, item_id, memory_type, text, 1 + number % 10, moment))
        items.append(
            IndexedItem(
                item_id,
                "memory",
                place_of(number),
                analyze(text),
                event_at=moment,
                memory_type=memory_type,
                end_offset=len(text),
            )
        )
    return _Portion(records, items, made.vectors)


def _read(ledger: Path) -> dict[str, int]:
    content: dict[str, int] = json.loads(ledger.read_text("utf-8")) if ledger.exists() else {}
    return content
