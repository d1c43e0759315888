"""Extractions: what each run of the extractor found, or why it failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage import events
from services.storage.events import ExtractionEnded
from services.storage.queries import load

SQL = load("extractions")


@dataclass(frozen=True, slots=True)
class ExtractionRow:
    """One run over some messages of a session.

    `attempts` counts those that have ended; `error` and `error_reason` are of the last one
    that failed; `duration_ms` is of the one that succeeded.
    """

    extraction_id: UUID
    session_id: str
    state: str
    attempts: int
    max_attempts: int
    error: str
    error_reason: str
    messages: int
    facts: int
    episodes: int
    triples: int
    extractor: str
    duration_ms: int
    recorded_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt ended, in words and by the name of its ErrorReason."""

    error: str
    error_reason: str
    extractor: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A failure on record: the attempts made by now, and whether that was the last."""

    attempts: int
    failed: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much of a user's messages still waits."""

    pending_messages: int
    running_extractions: int
    failed_extractions: int


async def insert_extraction(
    connection: Connection,
    owner_id: OwnerId,
    extraction_id: UUID,
    *,
    session_id: str,
    max_attempts: int,
    messages: int,
    extractor: str,
) -> None:
    """Begins an extraction, which is running from now on."""
    await connection.execute(
        SQL["insert_extraction"],
        owner_id,
        extraction_id,
        session_id,
        max_attempts,
        messages,
        extractor,
    )


async def get_extraction(
    connection: Connection, owner_id: OwnerId, extraction_id: UUID
) -> ExtractionRow | None:
    """One extraction, or None."""
    row = await connection.fetchrow(SQL["get_extraction"], owner_id, extraction_id)
    return _extraction(row) if row else None


async def list_extractions(
    connection: Connection,
    owner_id: OwnerId,
    *,
    state: str,
    session_id: str,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[ExtractionRow]:
    """The newest first; an empty filter means any; `after` is (recorded_at, id) of the last."""
    recorded_at, extraction_id = after or (None, None)
    rows = await connection.fetch(
        SQL["list_extractions"], owner_id, state, session_id, recorded_at, extraction_id, limit
    )
    return [_extraction(row) for row in rows]


async def note_failure(
    connection: Connection,
    owner_id: OwnerId,
    extraction_id: UUID,
    failure: Failure,
    *,
    begun_with: int,
) -> Noted | None:
    """Records that an attempt failed; the last of those it has makes the extraction failed.

    `begun_with` is the number of attempts that the run found when it began. None: another
    run of the same job has ended in the meantime, and its outcome holds.
    """
    row = await connection.fetchrow(
        SQL["note_failure"],
        owner_id,
        extraction_id,
        failure.error,
        failure.error_reason,
        failure.extractor,
        begun_with,
    )
    if row is None:
        return None
    ended = ExtractionEnded(
        session_id=row["session_id"],
        extraction_id=str(extraction_id),
        messages=row["messages"],
        reason=failure.error_reason,
        will_retry=not row["failed"],
    )
    await events.record(connection, owner_id, [ended])
    return Noted(row["attempts"], row["failed"])


async def restart_failed(
    connection: Connection,
    owner_id: OwnerId,
    *,
    further_attempts: int,
    extraction_ids: Sequence[UUID],
    limit: int,
) -> dict[UUID, str]:
    """Makes failed extractions running again; returns their sessions by id.

    Only those of `extraction_ids`, unless it is empty; at most `limit` of them.
    """
    rows = await connection.fetch(
        SQL["restart_failed"], owner_id, further_attempts, list(extraction_ids), limit
    )
    return {row["extraction_id"]: row["session_id"] for row in rows}


async def count_waiting(connection: Connection, owner_id: OwnerId) -> Waiting:
    """How much still waits, and how much failed for good."""
    row = await connection.fetchrow(SQL["count_waiting"], owner_id)
    if row is None:
        raise AssertionError("an aggregate always gives a row")
    return Waiting(**dict(row))


def _extraction(row: asyncpg.Record) -> ExtractionRow:
    return ExtractionRow(**dict(row))
