"""What was found, in full: the rows behind the hits of a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.documents import ChunkRow, get_chunks
from services.storage.memories import get_recalled
from services.storage.memory_accesses import Access
from services.storage.memory_rows import MemoryRow
from services.storage.messages import MessageRow, get_messages
from services.storage.search_items import Kind
from services.vector.searching import Hit


@dataclass(frozen=True, slots=True)
class Found:
    """A hit and its thing. `access` is a memory's, if recall ever returned it."""

    hit: Hit
    thing: MemoryRow | MessageRow | ChunkRow
    access: Access | None = None


async def in_full(
    connection: Connection,
    owner_id: OwnerId,
    hits: Sequence[Hit],
    as_of: datetime | None = None,
) -> list[Found]:
    """The hits with their rows, in their order: one statement for each kind there is.

    A memory is the revision that was found, as it was known at `as_of`. Belongs into the
    transaction of the search, or a hit that was erased meanwhile is left out.
    """
    things: dict[UUID, MemoryRow | MessageRow | ChunkRow] = {}
    accesses: dict[UUID, Access | None] = {}
    if memory_items := _of_kind(hits, "memory"):
        for row, access in await get_recalled(connection, owner_id, memory_items, as_of):
            things[row.item_id] = row
            accesses[row.item_id] = access
    if message_ids := _of_kind(hits, "message"):
        messages = await get_messages(connection, owner_id, message_ids)
        things |= {row.message_id: row for row in messages}
    if chunk_ids := _of_kind(hits, "chunk"):
        chunks = await get_chunks(connection, owner_id, chunk_ids)
        things |= {row.chunk_id: row for row in chunks}
    return [
        Found(hit, things[hit.unit.item_id], accesses.get(hit.unit.item_id))
        for hit in hits
        if hit.unit.item_id in things
    ]


def _of_kind(hits: Sequence[Hit], kind: Kind) -> list[UUID]:
    return [hit.unit.item_id for hit in hits if hit.unit.kind == kind]
