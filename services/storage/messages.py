"""Messages: what was said, in its order, and how far extraction has come with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.queries import load

SQL = load("messages")


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to store at its place in a session. Without `said_at` it was said now."""

    message_id: UUID
    session_id: str
    sequence: int
    role: str
    content: str
    speaker: str = ""
    metadata: Mapping[str, Any] | None = None
    said_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A stored message. `speaker` is empty where it is not known."""

    message_id: UUID
    session_id: str
    sequence: int
    role: str
    speaker: str
    content: str
    metadata: Mapping[str, Any]
    said_at: datetime
    recorded_at: datetime
    extraction_state: str


async def insert_messages(
    connection: Connection,
    owner_id: OwnerId,
    messages: Sequence[NewMessage],
    extraction_state: str,
) -> list[MessageRow]:
    """Stores messages whose places are reserved; returns them as stored, in their order."""
    rows = await connection.fetch(
        SQL["insert_messages"],
        owner_id,
        [message.message_id for message in messages],
        [message.session_id for message in messages],
        [message.sequence for message in messages],
        [message.role for message in messages],
        [message.speaker for message in messages],
        [message.content for message in messages],
        [dict(message.metadata or {}) for message in messages],
        [message.said_at for message in messages],
        extraction_state,
    )
    stored = {row["message_id"]: _message(row) for row in rows}
    return [stored[message.message_id] for message in messages]


async def get_messages(
    connection: Connection,
    owner_id: OwnerId,
    message_ids: Sequence[UUID],
    as_of: datetime | None = None,
) -> list[MessageRow]:
    """The messages of these ids, in the order of the ids; those that are gone are left out.

    So are those that were not there at `as_of`.
    """
    rows = await connection.fetch(SQL["get_messages"], owner_id, list(message_ids), as_of)
    found = {row["message_id"]: _message(row) for row in rows}
    return [found[message_id] for message_id in message_ids if message_id in found]


async def list_session_messages(
    connection: Connection,
    owner_id: OwnerId,
    session_id: str,
    *,
    extraction_state: str,
    after: int,
    limit: int,
    as_of: datetime | None = None,
) -> list[MessageRow]:
    """A session's messages behind place `after` (0: all); an empty state means any.

    Those that are there, or were at `as_of`.
    """
    rows = await connection.fetch(
        SQL["list_session_messages"], owner_id, session_id, extraction_state, after, limit, as_of
    )
    return [_message(row) for row in rows]


async def list_messages(
    connection: Connection,
    owner_id: OwnerId,
    *,
    extraction_state: str,
    after: tuple[datetime, UUID] | None,
    limit: int,
    as_of: datetime | None = None,
) -> list[MessageRow]:
    """All messages as they were stored; `after` is (recorded_at, id) of the last one seen.

    Those that are there, or were at `as_of`.
    """
    recorded_at, message_id = after or (None, None)
    rows = await connection.fetch(
        SQL["list_messages"], owner_id, extraction_state, recorded_at, message_id, limit, as_of
    )
    return [_message(row) for row in rows]


async def pending_of(
    connection: Connection, owner_id: OwnerId, session_id: str, limit: int
) -> list[tuple[UUID, int]]:
    """The oldest pending messages of a session: their ids, and how many characters each has."""
    rows = await connection.fetch(SQL["list_pending"], owner_id, session_id, limit)
    return [(row["message_id"], row["characters"]) for row in rows]


async def sessions_with_pending(
    connection: Connection, owner_id: OwnerId, session_ids: Sequence[str], count: int
) -> list[str]:
    """Those of the sessions that have `count` pending messages or more."""
    rows = await connection.fetch(SQL["sessions_with_pending"], owner_id, list(session_ids), count)
    return [row["session_id"] for row in rows]


async def assign_extraction(
    connection: Connection, owner_id: OwnerId, message_ids: Sequence[UUID], extraction_id: UUID
) -> None:
    """Makes pending messages those of one extraction, which is running."""
    await connection.execute(SQL["assign_extraction"], owner_id, list(message_ids), extraction_id)


async def messages_of(
    connection: Connection, owner_id: OwnerId, extraction_id: UUID
) -> list[MessageRow]:
    """The messages of one extraction, in their order."""
    rows = await connection.fetch(SQL["get_extraction_messages"], owner_id, extraction_id)
    return [_message(row) for row in rows]


async def set_extraction_state(
    connection: Connection, owner_id: OwnerId, extraction_ids: Sequence[UUID], state: str
) -> None:
    """Notes how far these extractions have come with their messages."""
    await connection.execute(SQL["set_extraction_state"], owner_id, list(extraction_ids), state)


def _message(row: asyncpg.Record) -> MessageRow:
    return MessageRow(**dict(row))
