"""Digests as runs: asked for, under way, done or failed; and when one is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.queries import load

SQL = load("digests")

State = Literal["pending", "running", "done", "failed"]
Trigger = Literal["call", "interval"]


@dataclass(frozen=True, slots=True)
class DigestRow:
    """One digest. `attempts` counts those that have ended; `error` is of the last that failed.

    `insight_items` are the memories' revisions that it stored, `profile_revision` is that of
    the emotion profile it left; None if it had nothing to read.
    """

    digest_id: UUID
    state: State
    trigger: Trigger
    batch_size: int
    attempts: int
    error: str
    error_reason: str
    memories_analyzed: int
    insights_generated: int
    recorded_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    insight_items: Sequence[UUID]
    profile_revision: int | None


@dataclass(frozen=True, slots=True)
class BegunDigest:
    """What a run of a queued digest is to do, and how many attempts there were before."""

    trigger: Trigger
    batch_size: int
    attempts: int


@dataclass(frozen=True, slots=True)
class NotedFailure:
    """A failure on record: the attempts made by now, and whether that was the last."""

    attempts: int
    failed: bool


@dataclass(frozen=True, slots=True)
class InsightRow:
    """An insight as a digest stored it."""

    memory_id: UUID
    content: str
    category: str
    source_memory_ids: Sequence[UUID]


async def queue_digest(
    connection: Connection,
    owner_id: OwnerId,
    digest_id: UUID,
    trigger: Trigger,
    *,
    batch_size: int,
    max_attempts: int,
) -> None:
    """Notes a digest whose job is enqueued in the same transaction."""
    await connection.execute(
        SQL["queue_digest"], owner_id, digest_id, trigger, batch_size, max_attempts
    )


async def insert_running(
    connection: Connection, owner_id: OwnerId, digest_id: UUID, batch_size: int
) -> None:
    """Notes a digest that this very transaction makes."""
    await connection.execute(SQL["insert_running"], owner_id, digest_id, batch_size)


async def another_runs(connection: Connection, owner_id: OwnerId, digest_id: UUID) -> bool:
    """Whether another digest of the user's is under way."""
    runs: bool = await connection.fetchval(SQL["another_runs"], owner_id, digest_id)
    return runs


async def begin_digest(
    connection: Connection, owner_id: OwnerId, digest_id: UUID
) -> BegunDigest | None:
    """Makes a queued digest running; None if it has ended or there is none."""
    row = await connection.fetchrow(SQL["begin_digest"], owner_id, digest_id)
    return BegunDigest(**dict(row)) if row else None


async def finish_digest(
    connection: Connection,
    owner_id: OwnerId,
    digest_id: UUID,
    *,
    analyzed: int = 0,
    insight_items: Sequence[UUID] = (),
    profile_revision: int | None = None,
) -> None:
    """Makes a running digest done."""
    await connection.execute(
        SQL["finish_digest"], owner_id, digest_id, analyzed, list(insight_items), profile_revision
    )


async def note_failure(
    connection: Connection,
    owner_id: OwnerId,
    digest_id: UUID,
    error: str,
    error_reason: str,
    *,
    begun_with: int,
) -> NotedFailure | None:
    """Records that an attempt failed; the last of those it has makes the digest failed.

    `begun_with` is the number of attempts that the run found when it began. None: another
    run of the same job has ended in the meantime, and its outcome holds.
    """
    row = await connection.fetchrow(
        SQL["note_digest_failure"], owner_id, digest_id, error, error_reason, begun_with
    )
    return NotedFailure(**dict(row)) if row else None


async def get_digest(
    connection: Connection, owner_id: OwnerId, digest_id: UUID
) -> DigestRow | None:
    """One digest, or None."""
    row = await connection.fetchrow(SQL["get_digest"], owner_id, digest_id)
    return _digest(row) if row else None


async def list_digests(
    connection: Connection,
    owner_id: OwnerId,
    *,
    state: str,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[DigestRow]:
    """The newest first; an empty state means any; `after` is (recorded_at, id) of the last."""
    recorded_at, digest_id = after or (None, None)
    rows = await connection.fetch(
        SQL["list_digests"], owner_id, state, recorded_at, digest_id, limit
    )
    return [_digest(row) for row in rows]


async def insights_by_item(
    connection: Connection, owner_id: OwnerId, item_ids: Sequence[UUID]
) -> list[InsightRow]:
    """Insights as they were stored, in the order of the ids; without those that are gone."""
    rows = await connection.fetch(SQL["insights_by_item"], owner_id, list(item_ids))
    return [InsightRow(**dict(row)) for row in rows]


async def count_messages(connection: Connection, owner_id: OwnerId, extraction_id: UUID) -> int:
    """Adds an extraction's user messages to those since the last digest; how many these are."""
    counted: int = await connection.fetchval(SQL["count_messages"], owner_id, extraction_id)
    return counted


async def counted_messages(connection: Connection, owner_id: OwnerId) -> int:
    """User messages that were extracted since the last digest."""
    return await connection.fetchval(SQL["get_counted"], owner_id) or 0


async def uncount_messages(connection: Connection, owner_id: OwnerId, count: int) -> None:
    """Takes off messages that a digest covers."""
    await connection.execute(SQL["uncount_messages"], owner_id, count)


def _digest(row: asyncpg.Record) -> DigestRow:
    return DigestRow(**dict(row))
