"""Taking messages in: stored, findable by their words and queued for extraction, at once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.contract.user import User
from services.ingest.triggers import queue_due
from services.runtime.config import ExtractionSettings, OptionSettings
from services.runtime.database import Connection
from services.runtime.ids import new_id
from services.storage import jobs, sessions
from services.storage.messages import MessageRow, NewMessage, insert_messages
from services.storage.options import register_and_read
from services.storage.places import message_place
from services.storage.search_items import IndexedItem, index_items
from services.text.traits import BY_ASSISTANT
from services.text.units import Unit


@dataclass(frozen=True, slots=True)
class Said:
    """A message as it came in. Without `said_at` it was said now."""

    session_id: str
    role: str
    content: str
    speaker: str = ""
    metadata: Mapping[str, Any] | None = None
    said_at: datetime | None = None


def in_sessions(messages: Sequence[Said], session_id: str) -> list[Said]:
    """The messages; those without a session in `session_id`, or in a new one if that is empty."""
    chosen = session_id or str(new_id())
    return [
        message if message.session_id else replace(message, session_id=chosen)
        for message in messages
    ]


async def take_in(
    connection: Connection,
    user: User,
    messages: Sequence[Said],
    units: Sequence[Sequence[Unit]],
    settings: ExtractionSettings,
    server: OptionSettings,
) -> list[MessageRow]:
    """Stores messages in their order, with their index entries and the jobs they need.

    Belongs inside one transaction; `units` are those of the contents, `server` holds where
    neither the tenant nor the user has chosen when to extract. Raises
    FailedPrecondition (SESSION_CLOSED) if one of the sessions is closed.
    """
    chosen = await register_and_read(connection, user.owner_id, user.tenant_id, user.user_id)
    counts = Counter(message.session_id for message in messages)
    reserved = await sessions.reserve_sequences(connection, user.owner_id, counts)
    taken = {name: each.last - counts[name] for name, each in reserved.items()}
    stored = await insert_messages(
        connection,
        user.owner_id,
        _placed(messages, taken),
        "pending" if settings.enabled else "skipped",
    )
    items = [
        item
        for row, each in zip(stored, units, strict=True)
        for item in _indexed(row, reserved[row.session_id].number, each)
    ]
    await index_items(connection, user.owner_id, items)
    if settings.enabled:
        options = chosen.over(server)
        await queue_due(connection, user, reserved.values(), options, settings.delay_seconds)
    await queue_embedding(connection, user)
    return stored


def _indexed(row: MessageRow, session: int, units: Sequence[Unit]) -> list[IndexedItem]:
    """A message as the search index has it, passage by passage."""
    by = 0 if row.role == "user" else BY_ASSISTANT
    return [
        IndexedItem(
            row.message_id,
            "message",
            message_place(session, row.sequence, part),
            unit.terms,
            event_at=row.said_at,
            speaker=row.speaker,
            traits=unit.traits | by,
            start_offset=unit.start,
            end_offset=unit.end,
        )
        for part, unit in enumerate(units)
    ]


async def queue_embedding(connection: Connection, user: User) -> None:
    """Queues a job for everything of the user's that has no vector. The transaction's last act."""
    await jobs.enqueue(connection, jobs.EMBED, user.payload())


def _placed(messages: Sequence[Said], taken: dict[str, int]) -> list[NewMessage]:
    """The messages with their ids, each at the place behind those `taken` in its session."""
    placed: list[NewMessage] = []
    for message in messages:
        taken[message.session_id] += 1
        placed.append(
            NewMessage(
                new_id(),
                message.session_id,
                taken[message.session_id],
                message.role,
                message.content,
                message.speaker,
                message.metadata,
                message.said_at,
            )
        )
    return placed
