"""Adding and correcting single memories inside one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from mnema.v1 import types_pb2

from services.contract.convert_memory import memory_of
from services.providers.embeddings.base import Vector
from services.runtime.database import Connection
from services.runtime.errors import NotFound
from services.storage import jobs, memories
from services.storage.foundation import EmbeddingSpace, register_user
from services.storage.memories import MemoryRow, NewMemory
from services.storage.memory_accesses import list_accesses
from services.vector.correction import corrected
from services.vector.user import User


async def add(
    connection: Connection, user: User, memory: NewMemory, space: EmbeddingSpace
) -> types_pb2.Memory:
    """Stores a memory, or refreshes the one that says the same; returns what is stored.

    Without a vector it is found by its words at once, and by its meaning when the job that is
    queued with it has run. Needs the user's lock.
    """
    await register_user(connection, user.owner_id, user.tenant_id, user.user_id)
    (remembered,) = await memories.remember(connection, user.owner_id, [memory], space)
    if memory.vector is None and remembered.outcome in ("added", "superseding"):
        await jobs.enqueue(connection, jobs.EMBED, user.embed_job)
    return await _shown(connection, user, remembered.item_id)


async def correct(
    connection: Connection,
    user: User,
    memory: types_pb2.Memory,
    paths: Sequence[str],
    space: EmbeddingSpace,
    vector: Vector | None,
) -> types_pb2.Memory:
    """Stores a new revision with the fields that `paths` name (checked before); returns it.

    `vector` is that of the memory's new content, if it has one and could be embedded. NotFound
    unless the memory is present. Needs the user's lock.
    """
    memory_id = UUID(memory.memory_id)
    present = await memories.get_memory(connection, user.owner_id, memory_id)
    if present is None or present.retracted_at is not None:
        raise NotFound("memory", memory.memory_id)
    changed = replace(corrected(present, memory, paths), vector=vector)
    item_id = await memories.update_memory(connection, user.owner_id, present, changed, space)
    if vector is None and changed.content != present.content:
        await jobs.enqueue(connection, jobs.EMBED, user.embed_job)
    return await _shown(connection, user, item_id)


async def _shown(connection: Connection, user: User, item_id: UUID) -> types_pb2.Memory:
    rows = await memories.get_revisions(connection, user.owner_id, [item_id])
    (memory,) = await shown(connection, user, rows)
    return memory


async def shown(
    connection: Connection, user: User, rows: Sequence[MemoryRow]
) -> list[types_pb2.Memory]:
    """Rows as the contract shows them, each with how often recall has returned its memory."""
    accesses = await list_accesses(connection, user.owner_id, [row.memory_id for row in rows])
    return [memory_of(row, user.user_id, accesses.get(row.memory_id)) for row in rows]
