"""The search index, built from what it finds: it holds nothing that is not derived."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.memory_units import MemoryText, index_memories
from services.storage.places import chunk_place, message_place
from services.storage.queries import load
from services.storage.search_items import IndexedItem, index_items
from services.text.analysis import analyze_all
from services.text.traits import BY_ASSISTANT
from services.text.units import unit_of

SQL = load("reindexing")

# So many things are read and indexed at a time.
_PAGE = 500


async def index_everything(connection: Connection, owner_id: OwnerId) -> int:
    """Indexes all that a user has, by words; returns how many things that is.

    The user's part of the index has to be empty. Vectors are left to the embedding job.
    """
    indexed = 0
    for kind in INDEXED_KINDS:
        indexed += await index_kind(connection, owner_id, kind)
    await retract_memories(connection, owner_id)
    return indexed


async def index_kind(connection: Connection, owner_id: OwnerId, kind: str) -> int:
    """Indexes what a user has of one of INDEXED_KINDS, as part of `index_everything`."""
    statement, index = _INDEXING[kind]
    indexed, after = 0, UUID(int=0)
    while rows := await connection.fetch(SQL[statement], owner_id, after, _PAGE):
        await index(connection, owner_id, rows)
        indexed += len(rows)
        after = rows[-1]["key"]
    return indexed


async def retract_memories(connection: Connection, owner_id: OwnerId) -> None:
    """Takes out of the index's present what was taken out of it: the end of indexing."""
    await connection.execute(SQL["retract_memories"], owner_id)


async def _index_messages(
    connection: Connection, owner_id: OwnerId, rows: Sequence[asyncpg.Record]
) -> None:
    analysed = await analyze_all([row["content"] for row in rows])
    items = [
        IndexedItem(
            row["message_id"],
            "message",
            message_place(row["number"], row["sequence"], part),
            unit.terms,
            event_at=row["said_at"],
            recorded_at=row["recorded_at"],
            speaker=row["speaker"],
            traits=unit.traits | (0 if row["role"] == "user" else BY_ASSISTANT),
            start_offset=unit.start,
            end_offset=unit.end,
        )
        for row, units in zip(rows, analysed, strict=True)
        for part, unit in enumerate(units)
    ]
    await index_items(connection, owner_id, items)


async def _index_memories(
    connection: Connection, owner_id: OwnerId, rows: Sequence[asyncpg.Record]
) -> None:
    texts = [
        MemoryText(
            row["item_id"],
            row["content"],
            row["source_message_ids"][0] if row["source_message_ids"] else None,
            row["event_at"],
            row["memory_type"],
            row["recorded_at"],
            row["first_recorded_at"],
        )
        for row in rows
    ]
    await index_memories(connection, owner_id, texts)


async def _index_chunks(
    connection: Connection, owner_id: OwnerId, rows: Sequence[asyncpg.Record]
) -> None:
    items = []
    for row in rows:
        unit = unit_of(row["content"])
        items.append(
            IndexedItem(
                row["chunk_id"],
                "chunk",
                chunk_place(row["number"], row["position"]),
                unit.terms,
                recorded_at=row["recorded_at"],
                traits=unit.traits,
                start_offset=row["start_offset"],
                end_offset=row["end_offset"],
            )
        )
    await index_items(connection, owner_id, items)


_INDEXING = {
    "messages": ("list_messages", _index_messages),
    "memories": ("list_memories", _index_memories),
    "chunks": ("list_chunks", _index_chunks),
}
INDEXED_KINDS = tuple(_INDEXING)
"""What is indexed, in its order: memories stand with their messages."""
