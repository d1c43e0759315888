"""Postings: which units hold a term, how often, and how long they are.

The terms of the units that came last are a row a unit, which is cheap to write. As many as
fill a block are turned round, into one row a term; blocks of a level are merged into one of
the next (a log-structured merge, as of the codes in `segments`). So a search reads a row a
block and term, however many units there are. Whoever packs or erases holds the lock of the
user's vectors (`vectors.lock_vectors`).
"""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.runtime.database import Connection
from services.runtime.ids import OwnerId, new_id
from services.storage.queries import load

SQL = load("postings")

POSTING = np.dtype([("place", ">i8"), ("frequency", ">i2"), ("length", ">i4")])
"""A posting as it is packed."""

BLOCK_UNITS = 512
"""So many units make a block of level 0."""

MERGED_BLOCKS = 16
"""So many blocks of a level become one of the next."""

MAX_LEVEL = 2
"""About 131,000 units: to merge larger ones would hold writers up."""


async def pack(connection: Connection, owner_id: OwnerId, *, level: int = 0) -> None:
    """Makes a block of all units that have terms of their own, and merges what is to be merged."""
    if await connection.fetchval(SQL["pack"], owner_id, new_id(), level):
        await _merge(connection, owner_id)


def level_of(units: int) -> int:
    """The level of a block of so many units."""
    level = 0
    while level < MAX_LEVEL and units >= BLOCK_UNITS * MERGED_BLOCKS ** (level + 1):
        level += 1
    return level


async def _merge(connection: Connection, owner_id: OwnerId) -> None:
    levels: list[list[UUID]] = [[] for _ in range(MAX_LEVEL + 1)]
    for row in await connection.fetch(SQL["list_blocks"], owner_id):
        levels[row["level"]].append(row["block_id"])
    for level in range(MAX_LEVEL):
        if len(levels[level]) >= MERGED_BLOCKS:
            merged = new_id()
            await connection.execute(SQL["merge"], owner_id, levels[level], merged, level + 1)
            levels[level + 1].append(merged)


async def erase(connection: Connection, owner_id: OwnerId, places: Sequence[int]) -> None:
    """Removes the postings of these places. Rewrites whole blocks: erasing is rare."""
    await connection.execute(SQL["erase_single"], owner_id, places)
    rows = await connection.fetch(SQL["holding_blocks"], owner_id, places)
    if not rows:
        return
    every = np.frombuffer(b"".join(row["packed"] for row in rows), POSTING)
    ends = np.cumsum([len(row["packed"]) // POSTING.itemsize for row in rows])
    gone = np.isin(every["place"], np.array(places, np.int64))
    changed = np.unique(np.searchsorted(ends, np.flatnonzero(gone), side="right")).tolist()
    kept = [_without(rows[at]["packed"], gone[_start(ends, at) : ends[at]]) for at in changed]
    await connection.execute(
        SQL["repack"],
        owner_id,
        [rows[at]["block_id"] for at in changed],
        [rows[at]["term"] for at in changed],
        [rows[at]["kind"] for at in changed],
        kept,
    )


def _start(ends: NDArray[np.int64], at: int) -> int:
    return int(ends[at - 1]) if at else 0


def _without(packed: bytes, gone: NDArray[np.bool_]) -> bytes:
    return np.frombuffer(packed, POSTING)[~gone].tobytes()


async def read(
    connection: Connection,
    owner_id: OwnerId,
    terms: Sequence[str],
    kinds: Sequence[int],
    most: int,
) -> list[tuple[int, int, bytes | None]]:
    """For each term that occurs: its position, how many postings it has, and all of them.

    They are packed, in no order. The most common terms, with which there would be more than
    `most` in all, have None instead; the rarest never. `kinds` are those of places.
    """
    rows = await connection.fetch(SQL["read"], owner_id, terms, kinds, most)
    return [(row["term"], row["postings"], row["packed"]) for row in rows]
