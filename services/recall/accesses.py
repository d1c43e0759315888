"""Counts what recall returns, behind its back: a read never waits for a write."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import structlog

from services.runtime.database import Connection, Database
from services.runtime.errors import MnemaError
from services.runtime.ids import OwnerId
from services.runtime.scope import Scope
from services.storage.memory_accesses import count_accesses

log = structlog.get_logger("mnema.recall")

FLUSH_SECONDS = 2.0
# Beyond this many memories in waiting, counts are dropped: they are statistics, not memory.
MOST_WAITING = 50_000


class AccessCounter:
    """Collects counts and writes them every two seconds, and once more at the end."""

    def __init__(self, database: Database, *, seconds: float = FLUSH_SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._waiting: dict[Scope, Counter[UUID]] = {}
        self._size = 0

    def count(self, scope: Scope, memory_ids: Iterable[str]) -> None:
        """Notes that these memories were returned. Never blocks, never fails."""
        if self._size >= MOST_WAITING:
            return
        counted = self._waiting.setdefault(scope, Counter())
        before = len(counted)
        counted.update(UUID(memory_id) for memory_id in memory_ids)
        self._size += len(counted) - before

    async def run(self, stop: asyncio.Event) -> None:
        """The background task."""
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._seconds)
            await self.flush()

    async def flush(self) -> None:
        """Writes what is waiting. What the database refuses is dropped, and said so."""
        waiting, self._waiting, self._size = self._waiting, {}, 0
        now = datetime.now(UTC)
        for scope, counted in waiting.items():
            try:
                await self._write(scope, counted, now)
            except (MnemaError, OSError) as error:
                log.warning("access counts dropped", memories=len(counted), error=str(error))

    async def _write(self, scope: Scope, counted: Counter[UUID], at: datetime) -> None:
        owner_id = scope.owner_id
        if owner_id is None:
            raise AssertionError("counts belong to an owner")

        async def write(connection: Connection) -> None:
            await count_accesses(connection, OwnerId(owner_id), sorted(counted.elements()), at)

        await self._database.run(scope, write)
