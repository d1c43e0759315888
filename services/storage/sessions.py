"""Sessions: who may still write to them, and which place the next message gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from services.runtime.database import Connection
from services.runtime.errors import FailedPrecondition
from services.runtime.ids import OwnerId
from services.storage.queries import load

SQL = load("sessions")


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One conversation. `last_message_at` is None while it is empty, `closed_at` while open."""

    session_id: str
    message_count: int
    metadata: Mapping[str, Any]
    recorded_at: datetime
    updated_at: datetime
    last_message_at: datetime | None
    closed_at: datetime | None

    @property
    def latest(self) -> datetime:
        """What sessions are listed by: the time of the newest message, or of the opening."""
        return self.last_message_at or self.recorded_at


@dataclass(frozen=True, slots=True)
class Reserved:
    """Sequences in a session: `last` is that of the newest message, `number` the session's.

    `extraction_queued` says whether a job waits that will take the session's messages up,
    `idle_queued` whether one does that will once nobody has spoken for long enough.
    """

    session_id: str
    number: int
    last: int
    extraction_queued: bool
    idle_queued: bool


@dataclass(frozen=True, slots=True)
class LockedSession:
    """A session that no other transaction changes until this one ends.

    `silent_seconds` have passed since its newest message; 0 if it has none.
    """

    closed: bool
    extraction_queued: bool
    silent_seconds: float


async def create_session(
    connection: Connection, owner_id: OwnerId, session_id: str, metadata: Mapping[str, Any]
) -> SessionRow | None:
    """Opens a session; None if the user has one of that id."""
    row = await connection.fetchrow(SQL["create_session"], owner_id, session_id, dict(metadata))
    return _session(row) if row else None


async def get_session(
    connection: Connection, owner_id: OwnerId, session_id: str, as_of: datetime | None = None
) -> SessionRow | None:
    """One session as it stands, or stood at `as_of`; None if there is none."""
    if as_of is None:
        row = await connection.fetchrow(SQL["get_session"], owner_id, session_id)
    else:
        row = await connection.fetchrow(SQL["get_session_as_of"], owner_id, session_id, as_of)
    return _session(row) if row else None


async def list_sessions(
    connection: Connection,
    owner_id: OwnerId,
    after: tuple[datetime, str] | None,
    limit: int,
    as_of: datetime | None = None,
) -> list[SessionRow]:
    """The sessions, the one with the newest message first; `after` is (latest, id) of the last.

    As they stand, or stood at `as_of`.
    """
    arguments: list[object] = [owner_id, *(after or (None, None)), limit]
    if as_of is None:
        rows = await connection.fetch(SQL["list_sessions"], *arguments)
    else:
        rows = await connection.fetch(SQL["list_sessions_as_of"], *arguments, as_of)
    return [_session(row) for row in rows]


async def reserve_sequences(
    connection: Connection, owner_id: OwnerId, counts: Mapping[str, int]
) -> dict[str, Reserved]:
    """Gives each session places for that many messages, and locks it until the transaction ends.

    Sessions that are missing are made. Raises FailedPrecondition (SESSION_CLOSED) if one is
    closed.
    """
    rows = await connection.fetch(
        SQL["reserve_sequences"], owner_id, list(counts), list(counts.values())
    )
    reserved = {
        row["session_id"]: Reserved(
            row["session_id"],
            row["number"],
            row["message_count"],
            row["extraction_queued"],
            row["idle_queued"],
        )
        for row in rows
    }
    for session_id in counts:
        if session_id not in reserved:
            raise FailedPrecondition(
                f"session {session_id!r} is closed and takes no more messages",
                reason="SESSION_CLOSED",
                metadata={"session_id": session_id},
            )
    return reserved


async def mark_queued(
    connection: Connection, owner_id: OwnerId, session_ids: Sequence[str], *, queued: bool
) -> None:
    """Notes whether a job waits that will take up these sessions' pending messages."""
    await connection.execute(SQL["mark_queued"], owner_id, list(session_ids), queued)


async def mark_idle(
    connection: Connection, owner_id: OwnerId, session_ids: Sequence[str], *, queued: bool
) -> None:
    """Notes whether a job waits for nobody to speak in these sessions."""
    await connection.execute(SQL["mark_idle"], owner_id, list(session_ids), queued)


async def lock_pending(
    connection: Connection, owner_id: OwnerId, session_id: str, after: str, limit: int
) -> list[str]:
    """Locks sessions with pending messages, in the order of their ids, from behind `after`.

    Only the one of `session_id`, unless that is empty; at most `limit` of them.
    """
    rows = await connection.fetch(SQL["lock_pending"], owner_id, session_id, after, limit)
    return [row["session_id"] for row in rows]


async def lock_session(
    connection: Connection, owner_id: OwnerId, session_id: str
) -> LockedSession | None:
    """Locks a session until the transaction ends; None if there is none."""
    row = await connection.fetchrow(SQL["lock_session"], owner_id, session_id)
    return LockedSession(**dict(row)) if row else None


async def close_session(connection: Connection, owner_id: OwnerId, session_id: str) -> None:
    """Closes a session that is locked and open."""
    await connection.execute(SQL["close_session"], owner_id, session_id)


def _session(row: asyncpg.Record) -> SessionRow:
    return SessionRow(**dict(row))
