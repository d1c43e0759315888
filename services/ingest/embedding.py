"""The EMBED job: gives a vector to everything of a user's that has none."""

import asyncio
from collections.abc import Mapping
from weakref import WeakValueDictionary

from services.contract.user import User
from services.ingest.embedder import MAX_TEXTS, Embedder
from services.ingest.ingest_metrics import JobMetrics
from services.runtime.database import Connection, Database
from services.runtime.errors import Internal
from services.runtime.ids import OwnerId
from services.storage.foundation import active_space
from services.storage.search_items import store_vectors, unembedded


class EmbeddingJobs:
    """Runs EMBED jobs. Raises what keeps it from ending: the queue will try again."""

    def __init__(self, database: Database, embedder: Embedder, metrics: JobMetrics) -> None:
        self._database = database
        self._embedder = embedder
        self._metrics = metrics
        # Two jobs of one user would embed the same items: the second one waits, and finds none.
        self._users: WeakValueDictionary[OwnerId, asyncio.Lock] = WeakValueDictionary()

    async def run(self, payload: Mapping[str, str]) -> None:
        """Embeds until nothing is left, in batches of similar lengths."""
        user = User.of_job(payload)
        async with self._users.setdefault(user.owner_id, asyncio.Lock()):
            while await self._embed_some(user):
                pass

    async def _embed_some(self, user: User) -> bool:
        """One batch; False if there was nothing to do."""
        async with self._database.transaction(user.scope, readonly=True) as connection:
            space = await active_space(connection)
            items = await unembedded(connection, user.owner_id, MAX_TEXTS)
        if not items:
            return False
        # A batch is padded to its longest text: neighbours in length waste the least.
        items.sort(key=lambda item: len(item.text))
        texts = [item.text for item in items]
        vectors = await self._embedder.embed(user, texts, space)
        found = {item.item_id: each for item, each in zip(items, vectors, strict=True)}

        async def store(connection: Connection) -> int:
            return await store_vectors(connection, user.owner_id, space, found)

        stored = await self._database.run(user.scope, store)
        if stored == 0:
            # The same items would come back at once, and for ever.
            raise Internal(f"none of {len(items)} vectors could be stored")
        self._metrics.embedded(stored)
        return True
