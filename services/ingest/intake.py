"""Taking messages in: stored, findable by their words and queued for extraction, at once."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.contract.user import User
from services.ingest.job_payloads import ExtractJob
from services.runtime.config import ExtractionSettings
from services.runtime.database import Connection
from services.runtime.ids import new_id
from services.storage import jobs, sessions
from services.storage.foundation import register_user
from services.storage.messages import MessageRow, NewMessage, insert_messages
from services.storage.search_items import IndexedItem, index_items
from services.text.terms import Terms, analyze

# About 2 ms of analysis: more text than that is analysed in a thread.
_ON_THE_LOOP_CHARACTERS = 8_192


@dataclass(frozen=True, slots=True)
class Said:
    """A message as it came in. Without `said_at` it was said now."""

    session_id: str
    role: str
    content: str
    speaker: str = ""
    metadata: Mapping[str, Any] | None = None
    said_at: datetime | None = None


async def analyze_all(texts: Sequence[str], executor: Executor) -> list[Terms]:
    """The terms of each text; many or long ones do not hold up the event loop."""
    if sum(map(len, texts)) <= _ON_THE_LOOP_CHARACTERS:
        return [analyze(text) for text in texts]
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(executor, lambda: [analyze(text) for text in texts])


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
    terms: Sequence[Terms],
    settings: ExtractionSettings,
) -> list[MessageRow]:
    """Stores messages in their order, with their index entries and the job they need.

    Belongs inside one transaction; `terms` are those of the contents. Raises
    FailedPrecondition (SESSION_CLOSED) if one of the sessions is closed.
    """
    await register_user(connection, user.owner_id, user.tenant_id, user.user_id)
    counts = Counter(message.session_id for message in messages)
    reserved = await sessions.reserve_sequences(connection, user.owner_id, counts)
    places = {name: each.last - counts[name] for name, each in reserved.items()}
    stored = await insert_messages(
        connection,
        user.owner_id,
        _placed(messages, places),
        "pending" if settings.enabled else "skipped",
    )
    items = [
        IndexedItem(row.message_id, "message", each, event_at=row.said_at)
        for row, each in zip(stored, terms, strict=True)
    ]
    await index_items(connection, user.owner_id, items)
    if settings.enabled:
        unqueued = [each.session_id for each in reserved.values() if not each.extraction_queued]
        await queue_extractions(connection, user, unqueued, settings.delay_seconds)
    else:
        # Nothing else would embed them. The first job of a burst embeds for those behind it.
        await queue_embedding(connection, user, settings.delay_seconds)
    return stored


async def queue_extractions(
    connection: Connection, user: User, session_ids: Sequence[str], delay_seconds: float
) -> None:
    """Queues one job for each of these sessions, which this transaction has locked.

    It will see to the messages' vectors as well: they need no other job.
    """
    if not session_ids:
        return
    await sessions.mark_queued(connection, user.owner_id, session_ids, queued=True)
    for session_id in session_ids:
        job = ExtractJob(user, session_id, new_id())
        await jobs.enqueue(connection, jobs.EXTRACT, job.payload(), delay_seconds=delay_seconds)


async def queue_embedding(connection: Connection, user: User, delay_seconds: float = 0.0) -> None:
    """Queues a job for everything of the user's that has no vector."""
    await jobs.enqueue(connection, jobs.EMBED, user.payload(), delay_seconds=delay_seconds)


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
