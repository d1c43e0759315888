"""Embeddings made in this process: no network, no key."""

from collections.abc import Sequence
from pathlib import Path

from services.providers.embeddings.base import Vector, Vectors
from services.providers.embeddings.batching import MicroBatcher
from services.providers.embeddings.cores import usable_cores
from services.providers.embeddings.model_folder import ModelFolder
from services.providers.embeddings.onnx_model import OnnxSentenceModel

# About ten short turns: 15 to 20 ms on one core, and so the longest a query waits for a batch
# (a text of full length is a slice of its own). Larger slices are not faster.
_SLICE_TOKENS = 192
_MAX_WAITING_TEXTS = 50_000


class LocalEmbedding:
    """A sentence model on the CPU, run in one thread off the event loop.

    Concurrent requests are batched (see `batching`); the model itself uses `threads` cores.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        """Loads the model: blocks for about half a second. 0 threads: all usable cores.

        Raises FailedPrecondition when the folder holds no usable model.
        """
        loaded = OnnxSentenceModel(ModelFolder.read(folder), threads=threads or usable_cores())
        self._model = loaded
        self._batcher = MicroBatcher(
            loaded.encode,
            loaded.cost,
            dims=loaded.dims,
            slice_cost=_SLICE_TOKENS,
            max_waiting=_MAX_WAITING_TEXTS,
        )

    @property
    def model(self) -> str:
        """The name in the folder's config.json, else the folder's own."""
        return self._model.name

    @property
    def dims(self) -> int:
        """What the loaded model gives."""
        return self._model.dims

    async def embed(self, text: str) -> Vector:
        """The vector of one text."""
        rows = await self._batcher.submit([text])
        vector: Vector = rows[0]
        return vector

    async def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """The vectors of the texts; texts beyond the model's length are cut.

        Raises ResourceExhausted when 50,000 texts wait already.
        """
        return await self._batcher.submit(texts)

    async def close(self) -> None:
        """Ends the thread; requests still waiting get Unavailable."""
        await self._batcher.close()
