"""The search index: everything that has words is an item, with postings and a vector."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from services.runtime.database import Connection
from services.runtime.errors import Internal
from services.runtime.ids import OwnerId
from services.storage.foundation import EmbeddingSpace
from services.storage.queries import load
from services.text.terms import Terms

SQL = load("search_items")
Kind = Literal["memory", "message", "chunk"]

_MAX_FREQUENCY = 2**15 - 1  # smallint
_VECTOR_TABLE = re.compile(r"vectors_[0-9]+")


@dataclass(frozen=True, slots=True)
class IndexedItem:
    """What is to be found under `item_id`.

    `item_id` is a memory revision's item_id, a message_id or a chunk_id. `recorded_at`
    is when this item enters the record (default: the transaction's time), `created_at`
    when the thing itself was first stored (default: `recorded_at`): they differ for the
    later revisions of a memory.
    """

    item_id: UUID
    kind: Kind
    terms: Terms
    event_at: datetime | None = None
    memory_type: str | None = None
    recorded_at: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PendingItem:
    """An item without a vector, and the text to make it of."""

    item_id: UUID
    kind: Kind
    text: str


def in_space(statement: str, space: EmbeddingSpace) -> str:
    """The statement with the space's table in the place of {vectors}.

    A table cannot be a parameter. Its name comes from embedding_spaces, which only
    create_embedding_space() writes; a name of any other form than that function's is
    Internal, so nothing else ever becomes part of a statement.
    """
    if not _VECTOR_TABLE.fullmatch(space.table_name):
        raise Internal(f"embedding space {space.space_id} names no vector table")
    return statement.replace("{vectors}", space.table_name)


async def index_items(
    connection: Connection, owner_id: OwnerId, items: Sequence[IndexedItem]
) -> None:
    """Makes new items findable by their words. Their vectors come by `store_vectors`.

    The items and their postings take one round trip each. An item is indexed once: its
    text never changes.
    """
    if not items:
        return
    await connection.execute(
        SQL["insert_items"],
        owner_id,
        [item.item_id for item in items],
        [item.kind for item in items],
        [item.memory_type for item in items],
        [item.terms.length for item in items],
        [item.event_at for item in items],
        [item.recorded_at for item in items],
        [item.created_at for item in items],
    )
    terms: list[str] = []
    item_ids: list[UUID] = []
    frequencies: list[int] = []
    for item in items:
        for term, frequency in item.terms.frequencies.items():
            terms.append(term)
            item_ids.append(item.item_id)
            frequencies.append(min(frequency, _MAX_FREQUENCY))
    await connection.execute(SQL["insert_postings"], owner_id, terms, item_ids, frequencies)


async def store_vectors(
    connection: Connection,
    owner_id: OwnerId,
    space: EmbeddingSpace,
    vectors: Mapping[UUID, NDArray[np.floating[Any]]],
) -> int:
    """Stores or replaces vectors by item; returns how many.

    Each is of `space.dims` values; items that are gone are passed over. In the active
    space the items count as embedded from then on.
    """
    if not vectors:
        return 0
    item_ids = sorted(vectors)
    stored: int = await connection.fetchval(
        in_space(SQL["upsert_vectors"], space),
        owner_id,
        item_ids,
        [HalfVector(vectors[item_id]) for item_id in item_ids],
        space.space_id,
    )
    return stored


async def copy_vector(
    connection: Connection, owner_id: OwnerId, space: EmbeddingSpace, source: UUID, target: UUID
) -> bool:
    """Gives the item `target` the vector of `source`, whose text it has; False if that has none."""
    copied = await connection.fetchval(
        in_space(SQL["copy_vector"], space), owner_id, source, target
    )
    return copied is not None


async def retract_items(
    connection: Connection, owner_id: OwnerId, item_ids: Sequence[UUID]
) -> None:
    """Takes items out of the present; reads as of an earlier moment still find them."""
    if item_ids:
        await connection.execute(SQL["retract_items"], owner_id, list(item_ids))


async def erase_items(connection: Connection, owner_id: OwnerId, item_ids: Sequence[UUID]) -> None:
    """Removes items for good, with their postings and their vectors in every space."""
    if not item_ids:
        return
    erased = list(item_ids)
    await connection.execute(SQL["erase_items"], owner_id, erased)
    await connection.execute(SQL["erase_postings"], owner_id, erased)
    for space in await list_spaces(connection):
        await connection.execute(in_space(SQL["erase_vectors"], space), owner_id, erased)


async def list_spaces(connection: Connection) -> list[EmbeddingSpace]:
    """Every embedding space there is, active or not."""
    rows = await connection.fetch(SQL["list_spaces"])
    return [
        EmbeddingSpace(row["space_id"], row["model"], row["dims"], row["table_name"])
        for row in rows
    ]


async def unembedded(connection: Connection, owner_id: OwnerId, limit: int) -> list[PendingItem]:
    """The oldest items without a vector in the active space, at most `limit`.

    The text of a message begins with its speaker where that is known: who says "I" is half
    of what it means.
    """
    rows = await connection.fetch(SQL["list_unembedded"], owner_id, limit)
    return [PendingItem(row["item_id"], row["kind"], row["text"]) for row in rows]


async def count_unembedded(connection: Connection, owner_id: OwnerId) -> int:
    """How many items have no vector in the active space yet."""
    count: int = await connection.fetchval(SQL["count_unembedded"], owner_id)
    return count
