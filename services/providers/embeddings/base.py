"""What an embedding provider is, and the check every answer passes.

Inside Mnema vectors travel as numpy float32: one text is (d,), several are (n, d), every
row of unit length, so that a dot product is the cosine.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.runtime.errors import FailedPrecondition, Internal

Vector = NDArray[np.float32]
"""One embedding: float32 (d,), unit length."""
Vectors = NDArray[np.float32]
"""Several embeddings: float32 (n, d), each row of unit length."""
Numbers = Sequence[float] | NDArray[np.floating[Any]]
"""An embedding as foreign code gives it: a list or an array, of any length."""


class EmbeddingProvider(Protocol):
    """Turns texts into vectors. Belongs to one event loop; calls may run concurrently."""

    @property
    def model(self) -> str:
        """The model's name. Vectors of different names are never compared."""

    @property
    def dims(self) -> int:
        """How many numbers a vector has; never changes."""

    async def embed(self, text: str) -> Vector:
        """The vector of one text that somebody waits for, as `embed_batch` would give it."""

    async def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """The vectors of the texts, in their order; (0, d) for none. May wait behind `embed`.

        Texts longer than the model reads are cut at the end. Raises Unavailable,
        ResourceExhausted (with `retry_after` when known), FailedPrecondition (the
        configuration is wrong: key, model, dimension) or Internal (a broken answer).
        """

    async def close(self) -> None:
        """Gives back threads and connections. The provider is not used afterwards."""


class UserEmbedding(Protocol):
    """What a class of the user must have to serve as a provider (`package.module:Class`).

    Vectors may be lists or arrays and need not have unit length: `AdaptedEmbedding` sees to
    it. A `model` attribute (its name) and an `async close()` are used when they exist.
    """

    @property
    def dims(self) -> int:
        """How many numbers a vector has."""

    async def embed(self, text: str) -> Numbers:
        """The vector of one text."""

    async def embed_batch(self, texts: list[str]) -> Sequence[Numbers] | NDArray[np.floating[Any]]:
        """The vectors of the texts, in their order. Of a subclass without its own: one by one."""
        return [await self.embed(text) for text in texts]


def unit_vectors(answer: object, *, count: int, dims: int, model: str) -> Vectors:
    """A provider's answer as float32 (count, dims) of unit length.

    Raises Internal when it is not `count` rows of finite numbers or a row is all zero, and
    FailedPrecondition when the rows have another dimension than configured.
    """
    try:
        vectors = np.array(answer, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise Internal(f"{model} answered something that is not a list of vectors") from error
    if count == 0:
        return np.zeros((0, dims), dtype=np.float32)
    if vectors.ndim != 2 or vectors.shape[0] != count:
        raise Internal(f"{model} answered shape {vectors.shape} for {count} texts")
    if vectors.shape[1] != dims:
        raise FailedPrecondition(
            f"{model} gives vectors of {vectors.shape[1]} numbers, but {dims} are configured",
            metadata={"dims": str(vectors.shape[1]), "configured_dims": str(dims)},
        )
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise Internal(f"{model} answered a vector that is zero or not finite")
    return np.asarray(vectors / norms, dtype=np.float32)
