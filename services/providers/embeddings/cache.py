"""Embeddings that were asked for before."""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from services.providers.embeddings.base import EmbeddingProvider, Vector, Vectors

_Key = tuple[str, bytes]


class CachedEmbedding:
    """A bounded LRU cache before a provider, keyed by model and text.

    Keeps a 16-byte digest of each text, not the text, so an entry costs 4 * dims bytes and a
    little: 10,000 entries of 384 numbers are about 18 MB. A text asked for twice in one batch
    is embedded once. Used from one event loop.
    """

    def __init__(self, inner: EmbeddingProvider, capacity: int) -> None:
        """`capacity` is in texts; 0 keeps nothing."""
        self._inner = inner
        self._capacity = capacity
        self._vectors: OrderedDict[_Key, Vector] = OrderedDict()
        self._clearings = 0
        self._hits = 0
        self._misses = 0

    @property
    def model(self) -> str:
        """The model of the provider inside."""
        return self._inner.model

    @property
    def dims(self) -> int:
        """The dimension of the provider inside."""
        return self._inner.dims

    @property
    def capacity(self) -> int:
        """How many texts' vectors are kept at most."""
        return self._capacity

    @property
    def hits(self) -> int:
        """Texts answered from the cache since the start."""
        return self._hits

    @property
    def misses(self) -> int:
        """Texts that had to be embedded since the start."""
        return self._misses

    def __len__(self) -> int:
        """Entries held now."""
        return len(self._vectors)

    async def embed(self, text: str) -> Vector:
        """The vector of one text; read-only, as the cache shares it."""
        key = self._key(text)
        found = self._find(key)
        if found is not None:
            self._hits += 1
            return found
        self._misses += 1
        clearings = self._clearings
        return self._keep(key, await self._inner.embed(text), clearings)

    async def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """The vectors of the texts; the provider sees only those that are new, once each."""
        keys = [self._key(text) for text in texts]
        found: dict[_Key, Vector] = {}
        missing: dict[_Key, str] = {}
        for key, text in zip(keys, texts, strict=True):
            vector = self._find(key)
            if vector is None:
                missing[key] = text
            else:
                found[key] = vector
        self._misses += len(missing)
        self._hits += len(keys) - len(missing)
        if missing:
            clearings = self._clearings
            rows = await self._inner.embed_batch(list(missing.values()))
            for key, row in zip(missing, rows, strict=True):
                found[key] = self._keep(key, row, clearings)
        if not keys:
            return np.zeros((0, self.dims), dtype=np.float32)
        return np.stack([found[key] for key in keys])

    def clear(self) -> None:
        """Forgets all vectors, those that are being made too; the counters go on."""
        self._clearings += 1
        self._vectors.clear()

    async def close(self) -> None:
        """Forgets all vectors and closes the provider inside."""
        self.clear()
        await self._inner.close()

    def _key(self, text: str) -> _Key:
        # A lone surrogate is no valid UTF-8, yet may sit in a str.
        encoded = text.encode("utf-8", "surrogatepass")
        return self._inner.model, blake2b(encoded, digest_size=16).digest()

    def _find(self, key: _Key) -> Vector | None:
        vector = self._vectors.get(key)
        if vector is not None:
            self._vectors.move_to_end(key)
        return vector

    def _keep(self, key: _Key, row: Vector, clearings: int) -> Vector:
        """Keeps a vector, unless all were forgotten after `clearings`, when it was begun."""
        # A copy: a row that is a view would keep its whole batch alive.
        vector = row.copy()
        vector.setflags(write=False)
        if self._capacity and clearings == self._clearings:
            self._vectors[key] = vector
            self._vectors.move_to_end(key)
            if len(self._vectors) > self._capacity:
                self._vectors.popitem(last=False)
        return vector
