"""Digests: which memories have been thought over, and the emotion profile that comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.memory_rows import Emotion
from services.storage.queries import load

SQL = load("digests")


@dataclass(frozen=True, slots=True)
class DigestMemory:
    """A memory as a digest reads it. `when`: its event time, or else when it was said."""

    item_id: UUID
    memory_id: UUID
    memory_type: str
    content: str
    importance: int | None
    emotion: Emotion | None
    entities: tuple[str, ...]
    category: str
    when: datetime


@dataclass(frozen=True, slots=True)
class EmotionProfileRow:
    """One revision of a user's emotion profile: sums and counts, so that averages stay exact.

    Valence is −1 to 1, arousal 0 to 1; `label_counts` and `trigger_counts` are by name;
    `source_memory_ids` are the newest first.
    """

    revision: int
    latest_state: str
    latest_state_period: str
    latest_state_valence: float
    latest_state_arousal: float
    latest_state_updated_at: datetime
    valence_sum: float
    arousal_sum: float
    source_count: int
    label_counts: Mapping[str, int] = field(default_factory=dict)
    trigger_counts: Mapping[str, int] = field(default_factory=dict)
    last_reflected_at: datetime | None = None
    source_memory_ids: Sequence[UUID] = ()


async def undigested(connection: Connection, owner_id: OwnerId, limit: int) -> list[DigestMemory]:
    """Present memories that no digest has read, the oldest first. Insights are not among them."""
    rows = await connection.fetch(SQL["undigested"], owner_id, limit)
    return [_memory(row) for row in rows]


async def recently_felt(
    connection: Connection, owner_id: OwnerId, known: Sequence[UUID], limit: int
) -> list[DigestMemory]:
    """Present memories that express an emotion, the newest first, but for the `known` items."""
    rows = await connection.fetch(SQL["recently_felt"], owner_id, list(known), limit)
    return [_memory(row) for row in rows]


async def known_insights(connection: Connection, owner_id: OwnerId, limit: int) -> list[str]:
    """What earlier digests concluded, the newest first."""
    rows = await connection.fetch(SQL["known_insights"], owner_id, limit)
    return [row["content"] for row in rows]


async def count_undigested(
    connection: Connection, owner_id: OwnerId, item_ids: Sequence[UUID]
) -> int:
    """How many of the items still stand and have been read by no digest."""
    count: int = await connection.fetchval(SQL["count_undigested"], owner_id, list(item_ids))
    return count


async def mark_digested(
    connection: Connection, owner_id: OwnerId, item_ids: Sequence[UUID], digest_id: UUID
) -> None:
    """Marks the memories as read by this digest."""
    await connection.execute(SQL["mark_digested"], owner_id, list(item_ids), digest_id)


async def get_emotion_profile(
    connection: Connection, owner_id: OwnerId, as_of: datetime | None = None
) -> EmotionProfileRow | None:
    """The profile now, or as it stood at `as_of`; None before the first digest."""
    row = await connection.fetchrow(SQL["get_profile"], owner_id, as_of)
    return None if row is None else EmotionProfileRow(**dict(row))


async def get_profile_revision(
    connection: Connection, owner_id: OwnerId, revision: int
) -> EmotionProfileRow | None:
    """One revision of the profile, present or past."""
    row = await connection.fetchrow(SQL["get_profile_revision"], owner_id, revision)
    return None if row is None else EmotionProfileRow(**dict(row))


async def store_emotion_profile(
    connection: Connection, owner_id: OwnerId, profile: EmotionProfileRow
) -> None:
    """Makes this the present profile; the one before stays readable as of its time.

    Its revision is given here, whatever it says.
    """
    await connection.execute(SQL["retract_profile"], owner_id)
    _, *columns = astuple(profile)
    await connection.execute(SQL["insert_profile"], owner_id, *columns)


def _memory(row: asyncpg.Record) -> DigestMemory:
    return DigestMemory(
        item_id=row["item_id"],
        memory_id=row["memory_id"],
        memory_type=row["memory_type"],
        content=row["content"],
        importance=row["importance"],
        emotion=None
        if row["emotion_valence"] is None
        else Emotion(
            row["emotion_valence"], row["emotion_arousal"] or 0.0, row["emotion_label"] or ""
        ),
        entities=tuple(row["entities"]),
        category=row["category"],
        when=row["happened_at"],
    )
