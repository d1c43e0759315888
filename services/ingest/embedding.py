"""The EMBED job: gives a vector to everything of a user's that has none."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

import structlog

from services.contract.user import User
from services.ingest.embedder import MAX_TEXTS, Embedder, Vector
from services.ingest.ingest_metrics import JobMetrics
from services.ingest.precedence import Precedence
from services.runtime.backoff import delay_of
from services.runtime.database import Connection, Database
from services.runtime.errors import Internal, MnemaError
from services.runtime.ids import OwnerId
from services.storage import jobs
from services.storage.foundation import EmbeddingSpace, active_space
from services.storage.search_items import (
    PendingItem,
    count_unembedded,
    still_there,
    unembedded,
)
from services.storage.vectors import lock_vectors, store_vectors

log = structlog.get_logger("mnema.embedding")

# A model that is back is used again soon: what was said meanwhile waits as well.
_LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some of what has no vector in the space."""

    space: EmbeddingSpace
    items: list[PendingItem]


class EmbeddingJobs:
    """Runs EMBED jobs.

    While there are no vectors to be had, one job a user waits for the next attempt, and what
    comes meanwhile waits with it.
    """

    def __init__(
        self,
        database: Database,
        embedder: Embedder,
        metrics: JobMetrics,
        precedence: Precedence,
        backoff: float,
    ) -> None:
        """`backoff` is the seconds before the second attempt; they double with each."""
        self._database = database
        self._precedence = precedence
        self._embedder = embedder
        self._metrics = metrics
        self._backoff = backoff
        # Two jobs of one user would embed the same items: the second one waits, and finds none.
        self._users: WeakValueDictionary[OwnerId, asyncio.Lock] = WeakValueDictionary()

    async def run(self, payload: Mapping[str, str]) -> None:
        """Embeds until nothing is left."""
        user = User.of_job(payload)
        async with self._users.setdefault(user.owner_id, asyncio.Lock()):
            await self._database.run(user.scope, lambda queue: jobs.begin_embedding(queue, payload))
            try:
                with self._precedence.embedding():
                    await self._embed_all(user)
            except MnemaError as error:
                await self._again(user, int(payload.get("attempts", 0)) + 1, error)

    async def _again(self, user: User, attempts: int, error: MnemaError) -> None:
        """Leaves the rest to a later job."""
        delay = min(delay_of(attempts, self._backoff), _LONGEST_PAUSE_SECONDS)
        log.warning("no embeddings for now", reason=error.reason, error=error.message)
        payload = {**user.payload(), "attempts": str(attempts)}

        async def queue(connection: Connection) -> None:
            if not await count_unembedded(connection, user.owner_id):
                return  # erased meanwhile, with the user
            await jobs.enqueue(
                connection,
                jobs.EMBED,
                payload,
                delay_seconds=max(delay, error.retry_after or 0.0),
            )

        await self._database.run(user.scope, queue)

    async def _embed_all(self, user: User) -> None:
        """Until nothing is left, in batches: the next one is embedded while the last is stored."""
        storing: asyncio.Task[None] | None = None
        places: list[int] = []
        try:
            while True:
                batch = await self._next(user, places)
                if batch is None and storing is None:
                    return
                found = await self._vectors(user, batch) if batch else {}
                if storing is not None:
                    await storing
                    storing = None
                places = list(found)
                if batch is not None:
                    storing = asyncio.create_task(self._store(user, batch, found))
        finally:
            if storing is not None:
                await asyncio.wait({storing})

    async def _next(self, user: User, places: Sequence[int]) -> _Batch | None:
        """What has no vector and is not at the `places` that are being stored."""
        async with self._database.transaction(user.scope, readonly=True) as connection:
            space = await active_space(connection)
            items = await unembedded(connection, user.owner_id, MAX_TEXTS, places)
        return _Batch(space, items) if items else None

    async def _vectors(self, user: User, batch: _Batch) -> dict[int, Vector]:
        """By place. A batch is padded to its longest text: neighbours in length waste the least."""
        items = sorted(batch.items, key=lambda item: len(item.text))
        texts = [item.text for item in items]
        vectors = await self._embedder.embed(user, texts, batch.space)
        return {item.place: each for item, each in zip(items, vectors, strict=True)}

    async def _store(self, user: User, batch: _Batch, vectors: Mapping[int, Vector]) -> None:
        """Stores them; those of units that were erased while they were embedded are dropped."""

        async def store(connection: Connection) -> tuple[int, int]:
            await lock_vectors(connection, user.owner_id)
            same = await still_there(connection, user.owner_id, batch.items)
            wanted = {place: each for place, each in vectors.items() if place in same}
            return len(wanted), await store_vectors(connection, user.owner_id, batch.space, wanted)

        wanted, stored = await self._database.run(user.scope, store)
        if wanted and not stored:
            # The same items would come back at once, and for ever.
            raise Internal(f"none of {wanted} vectors could be stored")
        self._metrics.embedded(stored)
