"""Embeddings made in this process: no network, no key."""

from collections.abc import Sequence
from pathlib import Path

from services.providers.embeddings.base import Vector, Vectors
from services.providers.embeddings.batching import MicroBatcher
from services.providers.embeddings.model_folder import ModelFolder
from services.providers.embeddings.onnx_model import OnnxSentenceModel
from services.runtime.machine import usable_cores

# About twenty short turns: 15 to 20 ms on one core, the time between two batches' turns (two
# texts of full length are a slice). Larger slices are not faster.
_SLICE_TOKENS = 384
_MAX_WAITING_TEXTS = 50_000


class LocalEmbedding:
    """A sentence model on the CPU, run off the event loop.

    Single texts go before batches and have a thread of their own (see `batching`). Each run
    uses one core: two runs beside each other do more than one run on two cores.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        """Loads the model: blocks for about half a second.

        `threads` are those for batches; 0: one fewer than the usable cores, at least one, so
        that a core is left for what somebody waits for. Raises FailedPrecondition when the
        folder holds no usable model.
        """
        loaded = OnnxSentenceModel(ModelFolder.read(folder), threads=1)
        self._model = loaded
        self._batcher = MicroBatcher(
            loaded.encode,
            loaded.cost,
            dims=loaded.dims,
            slice_cost=_SLICE_TOKENS,
            max_waiting=_MAX_WAITING_TEXTS,
            batch_threads=threads or max(1, usable_cores() - 1),
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
        """The vector of one text, before all batches."""
        return await self._batcher.submit_query(text)

    async def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """The vectors of the texts; texts beyond the model's length are cut.

        Raises ResourceExhausted when 50,000 texts wait already.
        """
        return await self._batcher.submit(texts)

    async def close(self) -> None:
        """Ends the thread; requests still waiting get Unavailable."""
        await self._batcher.close()
