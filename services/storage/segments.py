"""Segments: codes packed, so that a search reads a few long values instead of many rows.

The codes stored last are rows; as many as fill a segment are packed into one of level 0,
and as many segments of a level as are merged become one of the next (a log-structured
merge). A segment never changes: it is replaced by one of a new id. Whoever writes here
holds the lock of the user's vectors (`vectors.lock_vectors`).
"""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.runtime.database import Connection
from services.runtime.ids import OwnerId, new_id
from services.storage.codes import Places, code_words, positions
from services.storage.embedding_spaces import in_space
from services.storage.foundation import EmbeddingSpace
from services.storage.queries import load

SQL = load("segments")

SEGMENT_CODES = 512
"""So many rows are packed into a segment."""

MERGED_SEGMENTS = 16
"""So many segments of a level become one of the next."""

MAX_LEVEL = 2
"""About 131,000 codes, 7 MB with 384 dimensions: to merge larger ones would hold writers up."""

CodeBytes = NDArray[np.uint8]


async def pack(connection: Connection, owner_id: OwnerId, space: EmbeddingSpace) -> None:
    """Makes one segment of all codes that stand as rows, and merges what is to be merged."""
    await connection.execute(in_space(SQL["pack"], space), owner_id, new_id())
    await merge(connection, owner_id, space)


async def add_segments(
    connection: Connection,
    owner_id: OwnerId,
    space: EmbeddingSpace,
    places: Places,
    codes: CodeBytes,
) -> None:
    """Stores codes that have no rows as segments, the largest there may be.

    `codes` are the bytes of `sign_bits`, one row for each place; the places are sorted.
    """
    largest = SEGMENT_CODES * MERGED_SEGMENTS**MAX_LEVEL
    for start in range(0, len(places), largest):
        part = slice(start, start + largest)
        level = _level_of(len(places[part]))
        await _insert(connection, owner_id, space, level, places[part], codes[part])
    await merge(connection, owner_id, space)


async def merge(connection: Connection, owner_id: OwnerId, space: EmbeddingSpace) -> None:
    """Merges segments until no level has enough of them."""
    rows = await connection.fetch(in_space(SQL["list_segments"], space), owner_id)
    levels: list[list[UUID]] = [[] for _ in range(MAX_LEVEL + 1)]
    for row in rows:
        levels[row["level"]].append(row["segment_id"])
    for level in range(MAX_LEVEL):
        if len(levels[level]) < MERGED_SEGMENTS:
            continue
        places, codes = await _take(connection, owner_id, space, levels[level])
        levels[level + 1].append(
            await _insert(connection, owner_id, space, level + 1, places, codes)
        )


async def remove_packed(
    connection: Connection, owner_id: OwnerId, space: EmbeddingSpace, places: Sequence[int]
) -> None:
    """Removes the codes of these places, sorted, from the segments that hold them."""
    rows = await connection.fetch(in_space(SQL["holding_segments"], space), owner_id, places)
    gone = np.array(places, np.int64)
    for row in rows:
        held = np.frombuffer(row["places"], ">i8").astype(np.int64)
        at, _ = positions(held, gone)
        if not len(at):
            continue
        left, codes = await _take(connection, owner_id, space, [row["segment_id"]])
        if len(at) < len(left):
            await _insert(
                connection, owner_id, space, row["level"], np.delete(left, at),
                np.delete(codes, at, axis=0),
            )  # fmt: skip


async def _take(
    connection: Connection, owner_id: OwnerId, space: EmbeddingSpace, segment_ids: Sequence[UUID]
) -> tuple[Places, CodeBytes]:
    """Deletes segments, and returns their codes by place."""
    rows = await connection.fetch(in_space(SQL["take_segments"], space), owner_id, segment_ids)
    places = np.concatenate([np.frombuffer(row["places"], ">i8") for row in rows]).astype(np.int64)
    codes = np.concatenate([np.frombuffer(row["codes"], np.uint8) for row in rows])
    order = np.argsort(places)
    rows_of_bytes = codes.reshape(-1, 8 * code_words(space.dims))
    return places[order], rows_of_bytes[order]


async def _insert(
    connection: Connection,
    owner_id: OwnerId,
    space: EmbeddingSpace,
    level: int,
    places: Places,
    codes: CodeBytes,
) -> UUID:
    segment_id = new_id()
    await connection.execute(
        in_space(SQL["insert_segment"], space),
        owner_id,
        segment_id,
        level,
        int(places[0]),
        int(places[-1]),
        places.astype(">i8").tobytes(),
        codes.tobytes(),
    )
    return segment_id


def _level_of(count: int) -> int:
    level = 0
    while level < MAX_LEVEL and count >= SEGMENT_CODES * MERGED_SEGMENTS ** (level + 1):
        level += 1
    return level
