"""Calls of models on their way to the table of events: in batches, and never in the way."""

import asyncio
import contextvars
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

import structlog

from services.providers.embeddings.observed import EmbeddingCall
from services.providers.llm.base import LlmCall
from services.runtime import context
from services.runtime.config import EventSettings
from services.runtime.database import Database
from services.runtime.errors import MnemaError
from services.runtime.ids import TenantId, owner_of
from services.runtime.scope import Scope
from services.storage import events
from services.storage.events import Call, EmbeddingCalled, LlmCalled

log = structlog.get_logger("mnema.events")

_WAIT_SECONDS = 0.2  # for company
_AT_ONCE = 500
_MOST_WAITING = 5_000  # then the oldest are left out
_LAST_SECONDS = 2.0  # for what is left at the end


class CallLog:
    """Notes calls and writes them some moments later, for those whom the work is about.

    Best effort: what can't be written (the database is away, too many come) is left out and
    counted in the log. Used from one event loop.
    """

    def __init__(self, database: Database, settings: EventSettings) -> None:
        self._database = database
        self._on = settings.calls
        self._waiting: deque[tuple[TenantId, Call]] = deque()
        self._left_out = 0
        self._writing: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database, settings: EventSettings) -> AsyncIterator[Self]:
        """At the end of the block what waits is written; the database outlives it."""
        calls = cls(database, settings)
        try:
            yield calls
        finally:
            await calls.close()

    def llm(self, purpose: str) -> Callable[[LlmCall], None]:
        """An observer of a language model that is asked for this: "extraction" or "digest"."""

        def note(call: LlmCall) -> None:
            self._note(
                LlmCalled(
                    purpose,
                    call.model,
                    round(call.duration_ms, 3),
                    call.max_tokens,
                    call.temperature,
                    call.success,
                    call.prompt_tokens,
                    call.completion_tokens,
                )
            )

        return note

    def embedding(self, call: EmbeddingCall) -> None:
        """Observes an embedding model."""
        duration_ms = round(call.duration_ms, 3)
        self._note(EmbeddingCalled(call.text_count, call.model, duration_ms, call.success))

    async def close(self) -> None:
        """Writes what waits, if the database takes it soon."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=_LAST_SECONDS)
            self._writing.cancel()

    def _note(self, payload: LlmCalled | EmbeddingCalled) -> None:
        about = context.subject()
        if not self._on or about is None:
            return
        tenant_id, user_id = about
        owner_id: UUID = owner_of(tenant_id, user_id) if user_id else tenant_id
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft()
            self._left_out += 1
        self._waiting.append((tenant_id, Call(owner_id, payload, datetime.now(UTC))))
        if self._writing is None or self._writing.done():
            # A context of its own: its time does not end with the caller's.
            self._writing = asyncio.create_task(
                self._write_all(), name="call events", context=contextvars.Context()
            )

    async def _write_all(self) -> None:
        await asyncio.sleep(_WAIT_SECONDS)
        while self._waiting:
            batch: dict[TenantId, list[Call]] = defaultdict(list)
            for _ in range(min(_AT_ONCE, len(self._waiting))):
                tenant_id, call = self._waiting.popleft()
                batch[tenant_id].append(call)
            for tenant_id, calls in batch.items():
                await self._write(tenant_id, calls)
            if self._left_out:
                log.warning("calls of models were left out of the events", count=self._left_out)
                self._left_out = 0

    async def _write(self, tenant_id: TenantId, calls: list[Call]) -> None:
        try:
            async with self._database.transaction(Scope(tenant_id)) as connection:
                await events.record_calls(connection, tenant_id, calls)
        except MnemaError as error:
            self._left_out += len(calls)
            log.warning("calls could not be told", error=error.message)
