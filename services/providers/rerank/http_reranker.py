"""A reranking model behind HTTP, as Jina, Cohere, vLLM, TEI and others serve one."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from pydantic import BaseModel, ValidationError

from services.providers.rerank.settings import RerankSettings
from services.runtime.errors import (
    FailedPrecondition,
    Internal,
    MnemaError,
    ResourceExhausted,
    Unavailable,
)


class _Result(BaseModel):
    index: int
    relevance_score: float


class _Answer(BaseModel):
    results: list[_Result]


class HttpReranker:
    """POST {base_url}/rerank with {model, query, documents, top_n}; no attempt is repeated:
    the caller goes on without."""

    def __init__(self, settings: RerankSettings) -> None:
        """Opens no connection yet."""
        self._settings = settings
        self._name = settings.model or "the reranking model"
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {key}"} if key else {},
            timeout=settings.timeout_seconds,
        )

    @property
    def model(self) -> str:
        """As configured."""
        return self._name

    @property
    def top_n(self) -> int:
        """As configured."""
        return self._settings.top_n

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """See Reranker.rerank."""
        if not texts:
            return []
        body: dict[str, Any] = {
            "query": query,
            # Some servers refuse an empty text; a blank says as little.
            "documents": [text[: self._settings.max_characters] or " " for text in texts],
            "top_n": len(texts),
        }
        if self._settings.model:
            body["model"] = self._settings.model
        return self._scores(await self._post(body), len(texts))

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _post(self, body: Mapping[str, Any]) -> bytes:
        url = self._settings.base_url.rstrip("/") + "/rerank"
        try:
            # httpx limits each wait for bytes; this limits the whole.
            async with asyncio.timeout(self._settings.timeout_seconds):
                response = await self._client.post(url, json=body)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Unavailable(
                f"{self._name} did not answer within {self._settings.timeout_seconds:g} s"
            ) from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{self._name} cannot be reached") from error
        if response.status_code != httpx.codes.OK:
            raise self._refusal(response.status_code)
        return response.content

    def _refusal(self, status: int) -> MnemaError:
        """The answer's own text stays out: it may quote the key."""
        metadata = {"model": self._name, "status": str(status)}
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return ResourceExhausted(
                f"{self._name} refuses further requests for now (429)", metadata=metadata
            )
        if status >= 500 or status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.CONFLICT):
            return Unavailable(f"{self._name} failed with status {status}", metadata=metadata)
        return FailedPrecondition(
            f"{self._name} refuses the request (status {status})", metadata=metadata
        )

    def _scores(self, content: bytes, count: int) -> list[float]:
        """The scores in the order of the texts, by the `index` each one carries."""
        try:
            answer = _Answer.model_validate_json(content)
        except ValidationError as error:
            raise Internal(f"{self._name} answered something that is no reranking") from error
        scores = {each.index: each.relevance_score for each in answer.results}
        if (
            len(answer.results) != count
            or scores.keys() != set(range(count))
            or not all(map(math.isfinite, scores.values()))
        ):
            raise Internal(
                f"{self._name} answered {len(answer.results)} scores for {count} texts",
                metadata={"model": self._name},
            )
        return [scores[index] for index in range(count)]
