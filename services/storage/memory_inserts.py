"""Rows of memories on their way into the table, in as few round trips as their order allows."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.memory_rows import NewMemory
from services.storage.queries import load

SQL = load("memories")


@dataclass(frozen=True, slots=True)
class Revision:
    """Where a row stands in its memory's history. Times of None are the transaction's."""

    memory_id: UUID
    item_id: UUID
    number: int = 1
    first_recorded_at: datetime | None = None
    recorded_at: datetime | None = None
    last_refreshed_at: datetime | None = None
    superseded_by: UUID | None = None


class MemoryInserts:
    """Rows that are to be inserted in their order, by `flush`: before memories are read."""

    def __init__(self, connection: Connection, owner_id: OwnerId) -> None:
        self._connection = connection
        self._owner_id = owner_id
        self._rows: list[tuple[object, ...]] = []

    def add(self, memory: NewMemory, revision: Revision) -> None:
        """One revision."""
        self._rows.append((self._owner_id, *_columns(memory, revision)))

    async def flush(self) -> None:
        """Inserts what was added since the last time, in one round trip."""
        if self._rows:
            await self._connection.executemany(SQL["insert_memory"], self._rows)
            self._rows.clear()


def _columns(memory: NewMemory, revision: Revision) -> tuple[object, ...]:
    emotion = memory.emotion
    return (
        revision.item_id,
        revision.memory_id,
        revision.number,
        memory.memory_type,
        memory.content,
        memory.importance,
        memory.confidence,
        emotion.valence if emotion else None,
        emotion.arousal if emotion else None,
        emotion.label if emotion else None,
        memory.slot,
        memory.category,
        list(memory.tags),
        list(memory.entities),
        dict(memory.metadata),
        list(memory.source_message_ids),
        list(memory.source_memory_ids),
        memory.extraction_id,
        memory.event_at,
        revision.first_recorded_at,
        revision.recorded_at,
        revision.last_refreshed_at,
        revision.superseded_by,
    )
