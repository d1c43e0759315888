"""Embeddings from a server that speaks OpenAI's API: OpenAI, SiliconFlow, vLLM, Ollama, …"""

import asyncio
import json
from collections.abc import Sequence

import numpy as np
import openai

from services.providers.embeddings.base import Vector, Vectors, unit_vectors
from services.providers.embeddings.settings import MODEL_DIMS, PRESETS, EmbeddingSettings
from services.providers.embeddings.status import provider_failure
from services.runtime.errors import Internal, Unavailable

_REQUESTS_AT_ONCE = 4
# The SDK wants some key; servers of one's own often want none.
_NO_KEY = "none"


class OpenAICompatibleEmbedding:
    """One remote model. Retries and connection pooling are the SDK's."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        """Opens no connection yet. `settings.provider` names a preset."""
        preset = PRESETS[settings.provider]
        self._model = settings.remote_model
        native = MODEL_DIMS.get(self._model)
        self._dims = settings.dims or MODEL_DIMS[self._model]
        self._shorten = self._model.startswith("text-embedding-3-") and self._dims != native
        self._batch_limit = settings.batch_limit or preset.batch_limit
        self._max_characters = settings.max_characters
        # httpx limits each wait for bytes; this limits the whole, retries included.
        self._deadline_seconds = settings.timeout_seconds * (settings.max_retries + 1)
        self._client = openai.AsyncOpenAI(
            api_key=settings.api_key.get_secret_value() if settings.api_key else _NO_KEY,
            base_url=settings.base_url or preset.base_url,
            timeout=settings.timeout_seconds,
            max_retries=settings.max_retries,
        )
        self._turns = asyncio.Semaphore(_REQUESTS_AT_ONCE)

    @property
    def model(self) -> str:
        """The remote model's name."""
        return self._model

    @property
    def dims(self) -> int:
        """As configured, else as known for the model."""
        return self._dims

    async def embed(self, text: str) -> Vector:
        """The vector of one text."""
        rows = await self.embed_batch([text])
        vector: Vector = rows[0]
        return vector

    async def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """The vectors of the texts, asked for in parts of the service's batch limit.

        At most four requests run at once; when one fails, the others are cancelled.
        """
        parts = [
            texts[start : start + self._batch_limit]
            for start in range(0, len(texts), self._batch_limit)
        ]
        if not parts:
            return np.zeros((0, self._dims), dtype=np.float32)
        if len(parts) == 1:
            return await self._part(parts[0])
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._part(part)) for part in parts]
        except ExceptionGroup as failures:
            # One cause is enough for the caller; the group would hide its class.
            raise failures.exceptions[0] from failures
        return np.concatenate([task.result() for task in tasks])

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def _part(self, texts: Sequence[str]) -> Vectors:
        async with self._turns:
            try:
                async with asyncio.timeout(self._deadline_seconds):
                    answer = await self._request(texts)
            except TimeoutError as error:
                raise Unavailable(
                    f"{self._model} did not answer in {self._deadline_seconds:g} s",
                    metadata={"model": self._model},
                ) from error
            except openai.APIError as error:
                raise provider_failure(error, self._model) from error
        rows = _rows(answer, len(texts), self._model)
        return unit_vectors(rows, count=len(texts), dims=self._dims, model=self._model)

    async def _request(self, texts: Sequence[str]) -> bytes:
        response = await self._client.embeddings.with_raw_response.create(
            model=self._model,
            # Services refuse an empty string; a blank means as little.
            input=[text[: self._max_characters] or " " for text in texts],
            encoding_format="float",
            dimensions=self._dims if self._shorten else openai.omit,
        )
        return response.content


def _rows(answer: bytes, count: int, model: str) -> list[object]:
    """The vectors in the order of the texts, by the `index` each one carries."""
    try:
        entries = json.loads(answer)["data"]
        found = {int(entry["index"]): entry["embedding"] for entry in entries}
    except (ValueError, KeyError, TypeError) as error:
        raise Internal(f"{model} answered something that is not an embeddings list") from error
    if len(entries) != count or found.keys() != set(range(count)):
        raise Internal(
            f"{model} answered {len(entries)} vectors for {count} texts",
            metadata={"model": model, "answered": str(len(entries)), "asked": str(count)},
        )
    return [found[index] for index in range(count)]
