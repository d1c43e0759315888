"""A user's embedding class, made to fit."""

import inspect
from collections.abc import Sequence

from services.providers.embeddings.base import UserEmbedding, Vector, Vectors, unit_vectors
from services.providers.own_class import failed


class AdaptedEmbedding:
    """Wraps a `UserEmbedding`: checks shapes, makes float32 rows of unit length."""

    def __init__(self, inner: UserEmbedding, *, model: str) -> None:
        """`model` names the vectors when the user's class does not."""
        self._inner = inner
        self._model = str(getattr(inner, "model", None) or model)
        self._dims = int(inner.dims)

    @property
    def model(self) -> str:
        """The user's name for the model, else the class's import path."""
        return self._model

    @property
    def dims(self) -> int:
        """How many numbers a vector has."""
        return self._dims

    async def embed(self, text: str) -> Vector:
        """The vector of one text."""
        try:
            answer = await self._inner.embed(text)
        except Exception as error:  # foreign code: it may raise anything
            raise failed(self._model, error) from error
        rows = unit_vectors([answer], count=1, dims=self._dims, model=self._model)
        vector: Vector = rows[0]
        return vector

    async def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """The vectors of the texts; an empty batch does not reach the user's class."""
        try:
            answer = await self._inner.embed_batch(list(texts)) if texts else []
        except Exception as error:  # foreign code: it may raise anything
            raise failed(self._model, error) from error
        return unit_vectors(answer, count=len(texts), dims=self._dims, model=self._model)

    async def close(self) -> None:
        """Calls the user's `close`, sync or async, if there is one."""
        close = getattr(self._inner, "close", None)
        if close is not None:
            outcome = close()
            if inspect.isawaitable(outcome):
                await outcome
