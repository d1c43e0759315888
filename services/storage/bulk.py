"""Loading many units with their vectors at once: imports, and benchmarks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage import postings, segments
from services.storage.codes import sign_bits
from services.storage.embedding_spaces import in_space
from services.storage.foundation import EmbeddingSpace
from services.storage.queries import load as load_statements
from services.storage.search_items import IndexedItem, index_items
from services.storage.vectors import lock_vectors

SQL = load_statements("bulk")

BATCH = 10_000
"""So many units a call are worth their while: larger ones take more memory and no less time."""


async def load(
    connection: Connection,
    owner_id: OwnerId,
    space: EmbeddingSpace,
    items: Sequence[IndexedItem],
    vectors: NDArray[np.float32],
) -> None:
    """Makes new units findable by words and by meaning; they never count as unembedded.

    `vectors` has a row of `space.dims` values for each item. Their codes become segments and
    their terms blocks at once: call it with some thousands of units at a time, and not with
    fewer than hundreds.
    (PostgreSQL refuses COPY into tables with row-level security; arrays are as fast.)
    """
    if not items:
        return
    order = sorted(range(len(items)), key=lambda at: items[at].place)
    items, vectors = [items[at] for at in order], vectors[order]
    await lock_vectors(connection, owner_id)
    await index_items(connection, owner_id, items, embedded=True)
    await postings.pack(connection, owner_id, level=postings.level_of(len(items)))
    places = np.array([item.place for item in items], np.int64)
    await connection.execute(
        in_space(SQL["insert_vectors"], space),
        owner_id,
        places.tolist(),
        [HalfVector(row) for row in vectors.astype(np.float16)],
    )
    await segments.add_segments(connection, owner_id, space, places, sign_bits(vectors))
