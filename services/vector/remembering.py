"""Adding and correcting single memories inside one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from services.contract.user import User
from services.providers.embeddings.base import Vector
from services.runtime.database import Connection
from services.runtime.errors import NotFound
from services.storage import jobs, memories
from services.storage.foundation import EmbeddingSpace, register_user
from services.storage.memory_accesses import Access, list_accesses
from services.storage.memory_rows import MemoryRow, NewMemory


@dataclass(frozen=True, slots=True)
class Stored:
    """A revision, and how often recall has returned its memory (None: never)."""

    row: MemoryRow
    access: Access | None


async def add(
    connection: Connection, user: User, memory: NewMemory, space: EmbeddingSpace
) -> Stored:
    """Stores a memory, or refreshes the one that says the same; returns what is stored.

    Without a vector it is found by its words at once, and by its meaning when the job that is
    queued with it has run. Needs the user's lock.
    """
    await register_user(connection, user.owner_id, user.tenant_id, user.user_id)
    (remembered,) = await memories.remember(connection, user.owner_id, [memory], space)
    if memory.awaits_vectors and remembered.outcome in ("added", "superseding"):
        await jobs.enqueue(connection, jobs.EMBED, user.payload())
    return await _stored(connection, user, remembered.item_id)


async def correct(
    connection: Connection,
    user: User,
    memory_id: UUID,
    correction: Mapping[str, Any],
    space: EmbeddingSpace,
    vector: Vector | None,
) -> Stored:
    """Stores a new revision with the fields of `correction` (NewMemory's names); returns it.

    `vector` is that of a new content, None if there is no new one or no model. NotFound
    unless the memory is present. Needs the user's lock.
    """
    present = await memories.get_memory(connection, user.owner_id, memory_id)
    if present is None or present.retracted_at is not None:
        raise NotFound("memory", str(memory_id))
    changed = replace(_as_it_is(present), **correction, vector=vector)
    item_id = await memories.update_memory(connection, user.owner_id, present, changed, space)
    if changed.awaits_vectors and changed.content != present.content:
        await jobs.enqueue(connection, jobs.EMBED, user.payload())
    return await _stored(connection, user, item_id)


async def with_accesses(
    connection: Connection, user: User, rows: Sequence[MemoryRow]
) -> list[Stored]:
    """Rows, each with how often recall has returned its memory."""
    accesses = await list_accesses(connection, user.owner_id, [row.memory_id for row in rows])
    return [Stored(row, accesses.get(row.memory_id)) for row in rows]


async def _stored(connection: Connection, user: User, item_id: UUID) -> Stored:
    rows = await memories.get_revisions(connection, user.owner_id, [item_id])
    (stored,) = await with_accesses(connection, user, rows)
    return stored


def _as_it_is(row: MemoryRow) -> NewMemory:
    return NewMemory(
        memory_type=row.memory_type,
        content=row.content,
        importance=row.importance,
        confidence=row.confidence,
        emotion=row.emotion,
        slot=row.slot,
        category=row.category,
        tags=row.tags,
        entities=row.entities,
        metadata=row.metadata,
        source_message_ids=row.source_message_ids,
        source_memory_ids=row.source_memory_ids,
        extraction_id=row.extraction_id,
        event_at=row.event_at,
    )
