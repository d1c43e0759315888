"""What a user's memory amounts to: exact counts, cold memories, and where a name stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any, Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage import postings
from services.storage.memory_accesses import Access
from services.storage.memory_rows import COLUMNS, MemoryRow, memory_row
from services.storage.places import MEMORY, MESSAGE, PLACELESS, kind_of
from services.storage.queries import load
from services.storage.relations import NodeKey

SQL = {name: text.replace("{columns}", COLUMNS) for name, text in load("analytics").items()}

MOST_PASSAGES = 5_000
"""So many passages of a kind that have a name's words are looked at: the last ones."""

MOST_POSTINGS = 200_000
"""So many places of a name's words are compared; those of its rarest word in any case."""

Kind = Literal["memory", "message"]
_PLACES: Mapping[Kind, tuple[int, ...]] = {"memory": (MEMORY, PLACELESS), "message": (MESSAGE,)}


@dataclass(frozen=True, slots=True)
class MemoryCounts:
    """Memories by type, and those of the last weeks by week ("2026-W47"), in order."""

    by_type: Mapping[str, int]
    by_week: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OtherCounts:
    """What else there is. `entities` are the nodes other than the user and memories."""

    nodes: int
    entities: int
    edges: int
    messages: int
    sessions: int
    documents: int


@dataclass(frozen=True, slots=True)
class ColdMemory:
    """A memory that recall has not returned since `cold_since`; `access` None: never."""

    row: MemoryRow
    access: Access | None
    cold_since: datetime


async def count_memories(
    connection: Connection, owner_id: OwnerId, weeks: int, as_of: datetime | None
) -> MemoryCounts:
    """The memories that stand, or stood at `as_of`; by week those of the last `weeks`."""
    if as_of is None:
        rows = await connection.fetch(SQL["count_memories"], owner_id, weeks)
    else:
        rows = await connection.fetch(SQL["count_memories_as_of"], owner_id, weeks, as_of)
    by_type: dict[str, int] = {}
    by_week: dict[str, int] = {}
    for memory_type, week, memories in sorted(rows, key=lambda row: row["week"] or ""):
        by_type[memory_type] = by_type.get(memory_type, 0) + memories
        if week is not None:
            by_week[week] = by_week.get(week, 0) + memories
    return MemoryCounts(by_type, by_week)


async def count_others(
    connection: Connection, owner_id: OwnerId, as_of: datetime | None
) -> OtherCounts:
    """What stands beside memories, or stood at `as_of`."""
    if as_of is None:
        row = await connection.fetchrow(SQL["count_others"], owner_id)
    else:
        row = await connection.fetchrow(SQL["count_others_as_of"], owner_id, as_of)
    if row is None:
        raise AssertionError("a SELECT without FROM has a row")
    return OtherCounts(**dict(row))


async def list_cold(
    connection: Connection,
    owner_id: OwnerId,
    days: int,
    limit: int,
    after: tuple[datetime, UUID] | None,
) -> list[ColdMemory]:
    """Present memories that were not accessed for `days` days, the coldest first.

    `after` is (cold_since, memory_id) of the last one of the page before.
    """
    rows = await connection.fetch(SQL["list_cold"], owner_id, days, *(after or (None, None)), limit)
    return [_cold(dict(row)) for row in rows]


def _cold(columns: dict[str, Any]) -> ColdMemory:
    since, count = columns.pop("cold_since"), columns.pop("access_count")
    last_at = columns.pop("last_accessed_at")
    return ColdMemory(memory_row(columns), Access(count, last_at) if last_at else None, since)


async def items_with_terms(
    connection: Connection,
    owner_id: OwnerId,
    kind: Kind,
    terms: Sequence[str],
    as_of: datetime | None,
) -> list[UUID]:
    """The items that have a passage with the terms, at least the rarest, the newest first.

    Memories are named by item_id. The last MOST_PASSAGES of them are looked at.
    """
    rows = await postings.read(connection, owner_id, terms, _PLACES[kind], MOST_POSTINGS)
    if len(rows) < len(terms):
        return []
    # Words too common to be read are left to whoever reads the texts.
    parts = [
        np.frombuffer(packed, postings.POSTING)["place"].astype(np.int64)
        for *_, packed in rows
        if packed is not None
    ]
    common: NDArray[np.int64] = reduce(np.intersect1d, parts)
    places = [
        int(place)
        for number in _PLACES[kind]
        for place in np.sort(common[kind_of(common) == number])[-MOST_PASSAGES:]
    ]
    if not places:
        return []
    found = await connection.fetch(SQL["newest_at"], owner_id, places, as_of)
    return [row["item_id"] for row in found]


async def items_with_text(
    connection: Connection, owner_id: OwnerId, kind: Kind, text: str, as_of: datetime | None
) -> list[UUID]:
    """Those of the newest MOST_PASSAGES items that have the text, in any case, newest first."""
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    statement = SQL["scan_memories" if kind == "memory" else "scan_messages"]
    rows = await connection.fetch(statement, owner_id, f"%{escaped}%", as_of, MOST_PASSAGES)
    return [row["item_id"] for row in rows]


async def items_through(
    connection: Connection,
    owner_id: OwnerId,
    nodes: Sequence[NodeKey],
    as_of: datetime | None,
    limit: int,
) -> list[UUID]:
    """The newest memories (item_id) whose pathways go through the nodes, `limit` of each."""
    rows = await connection.fetch(
        SQL["memories_through"],
        owner_id,
        [key.node_type for key in nodes],
        [key.node_id for key in nodes],
        as_of,
        limit,
    )
    return [row["item_id"] for row in rows]
