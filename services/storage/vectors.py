"""Vectors of units, and with each its code, by which searches find it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage import postings, segments
from services.storage.codes import sign_bits
from services.storage.embedding_spaces import in_space
from services.storage.foundation import EmbeddingSpace
from services.storage.numbers import take_numbers
from services.storage.queries import load

SQL = load("vectors")


async def lock_vectors(connection: Connection, owner_id: OwnerId) -> None:
    """Makes this transaction the only one that writes the user's vectors.

    It is taken after the user's lock where both are: an embedding job needs this one alone.
    """
    await connection.execute(SQL["lock_vectors"], owner_id)


async def store_vectors(
    connection: Connection,
    owner_id: OwnerId,
    space: EmbeddingSpace,
    vectors: Mapping[int, NDArray[np.floating[Any]]],
) -> int:
    """Stores or replaces vectors by place; returns how many.

    Each is of `space.dims` values; places without a unit are passed over. In the active
    space the units count as embedded from then on.
    """
    if not vectors:
        return 0
    await lock_vectors(connection, owner_id)
    places = sorted(vectors)
    codes = sign_bits(np.stack([vectors[place] for place in places]))
    row = await connection.fetchrow(
        in_space(SQL["upsert_vectors"], space),
        owner_id,
        places,
        [HalfVector(vectors[place]) for place in places],
        [code.tobytes() for code in codes],
        space.space_id,
    )
    if row is None:
        raise AssertionError("an aggregate has a row")
    if row["replaced"]:
        await take_numbers(connection, owner_id, "rewrite", 1)
        await segments.remove_packed(connection, owner_id, space, row["replaced"])
    if row["single"] >= segments.SEGMENT_CODES:
        await segments.pack(connection, owner_id, space)
        await postings.pack(connection, owner_id)
    stored: int = row["stored"]
    return stored


async def erase_vectors(
    connection: Connection, owner_id: OwnerId, space: EmbeddingSpace, places: list[int]
) -> None:
    """Removes the vectors of these places, sorted, and their codes."""
    await connection.execute(in_space(SQL["erase_vectors"], space), owner_id, places)
    await segments.remove_packed(connection, owner_id, space, places)


async def copy_vector(
    connection: Connection, owner_id: OwnerId, space: EmbeddingSpace, source: UUID, target: UUID
) -> bool:
    """Gives the units of the item `target` the vectors of those of `source`, whose text it has.

    False if those have none.
    """
    return await copy_vectors(connection, owner_id, space, {source: target}) > 0


async def copy_vectors(
    connection: Connection, owner_id: OwnerId, space: EmbeddingSpace, copies: Mapping[UUID, UUID]
) -> int:
    """The same for many items, from source to target; how many vectors there were."""
    rows = await connection.fetch(
        in_space(SQL["paired_vectors"], space), owner_id, list(copies), list(copies.values())
    )
    vectors = {row["place"]: row["embedding"].to_numpy() for row in rows}
    return await store_vectors(connection, owner_id, space, vectors)
