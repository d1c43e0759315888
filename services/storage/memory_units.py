"""Memories in the search index: each stands with the message that it comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.foundation import EmbeddingSpace
from services.storage.numbers import take_numbers
from services.storage.places import MAX_PART, MAX_SEQUENCE, memory_place, part_of, placeless
from services.storage.queries import load
from services.storage.search_items import IndexedItem, index_items, places_of
from services.storage.vectors import store_vectors
from services.text.analysis import analyze_all

SQL = load("memory_units")


@dataclass(frozen=True, slots=True)
class MemoryText:
    """What is indexed of one revision of a memory. Times are as in IndexedItem.

    `source` is its first source message, None if it has none.
    """

    item_id: UUID
    content: str
    source: UUID | None
    event_at: datetime | None
    memory_type: str
    recorded_at: datetime | None
    created_at: datetime | None


@dataclass(slots=True)
class _Room:
    """Where the memories of one message stand, and the first part that is free."""

    session: int
    sequence: int
    next_part: int


async def index_memories(
    connection: Connection, owner_id: OwnerId, texts: Sequence[MemoryText]
) -> None:
    """Makes memories findable by their words. Needs the user's lock."""
    if not texts:
        return
    units = await analyze_all([text.content for text in texts])
    places = await _places(
        connection, owner_id, [text.source for text in texts], [len(each) for each in units]
    )
    items = [
        IndexedItem(
            text.item_id,
            "memory",
            place,
            unit.terms,
            event_at=text.event_at,
            memory_type=text.memory_type,
            recorded_at=text.recorded_at,
            created_at=text.created_at,
            traits=unit.traits,
            start_offset=unit.start,
            end_offset=unit.end,
        )
        for text, of_text, at in zip(texts, units, places, strict=True)
        for unit, place in zip(of_text, at, strict=True)
    ]
    await index_items(connection, owner_id, items)


async def store_memory_vectors(
    connection: Connection,
    owner_id: OwnerId,
    space: EmbeddingSpace,
    vectors: Mapping[UUID, NDArray[np.floating[Any]]],
) -> None:
    """Stores the vectors of items that are one passage each; the others' are left to the job."""
    if vectors:
        places = await places_of(connection, owner_id, list(vectors))
        by_place = {units[0]: vectors[key] for key, units in places.items() if len(units) == 1}
        await store_vectors(connection, owner_id, space, by_place)


async def _places(
    connection: Connection,
    owner_id: OwnerId,
    sources: Sequence[UUID | None],
    counts: Sequence[int],
) -> list[list[int]]:
    """Free places for that many units of each source's memories: there, or else without one."""
    rooms = await _rooms(connection, owner_id, [each for each in sources if each is not None])
    found: list[list[int]] = []
    homeless: list[int] = []
    for source, count in zip(sources, counts, strict=True):
        room = rooms.get(source) if source is not None else None
        if room is not None and room.next_part + count - 1 <= MAX_PART:
            first = memory_place(room.session, room.sequence, room.next_part)
            room.next_part += count
            found.append([first + part for part in range(count)])
        else:
            homeless.append(len(found))
            found.append([0] * count)
    if homeless:
        needed = sum(counts[at] for at in homeless)
        number = await take_numbers(connection, owner_id, "placeless", needed)
        for at in homeless:
            found[at] = [placeless(number + part) for part in range(counts[at])]
            number += counts[at]
    return found


async def _rooms(
    connection: Connection, owner_id: OwnerId, message_ids: Sequence[UUID]
) -> dict[UUID, _Room]:
    if not message_ids:
        return {}
    rows = await connection.fetch(
        SQL["memories_of_messages"], owner_id, message_ids, memory_place(0, 0, 0), MAX_SEQUENCE
    )
    return {
        row["message_id"]: _Room(
            row["number"],
            row["sequence"],
            0 if row["last_place"] is None else part_of(row["last_place"]) + 1,
        )
        for row in rows
    }
