"""The reranking client against a real HTTP server."""

import json
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from services.providers.rerank.factory import create_reranker
from services.providers.rerank.settings import RerankSettings
from services.runtime.errors import (
    FailedPrecondition,
    Internal,
    MnemaError,
    ResourceExhausted,
    Unavailable,
)
from tests.patience import PATIENCE
from tests.rerank_server import Odd, RerankServer

TEXTS = ["a cat", "tea and tea", "a cup of tea"]


async def scores(server: RerankServer, *texts: str, **settings: Any) -> list[float]:
    """What the server says of the texts."""
    settings = {"timeout_seconds": PATIENCE, **settings}
    reranker = create_reranker(RerankSettings(base_url=server.base_url, **settings))
    assert reranker is not None
    try:
        return await reranker.rerank("tea", texts)
    finally:
        await reranker.close()


async def test_scores_come_in_the_order_of_the_texts() -> None:
    with RerankServer() as server:
        assert await scores(server, *TEXTS, model="m", api_key=SecretStr("k")) == [0, 2, 1]
    (asked,) = server.requests
    assert asked.path == "/v1/rerank"
    assert asked.body == {"model": "m", "query": "tea", "documents": TEXTS, "top_n": 3}
    assert asked.headers["authorization"] == "Bearer k"


async def test_nothing_costs_no_call_and_no_text_is_too_long_or_empty() -> None:
    with RerankServer() as server:
        assert await scores(server) == []
        assert server.requests == []
        await scores(server, "", "x" * 300, max_characters=100)
    (asked,) = server.requests
    assert asked.body["documents"] == [" ", "x" * 100]
    assert "model" not in asked.body
    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, ResourceExhausted),
        (500, Unavailable),
        (503, Unavailable),
        (401, FailedPrecondition),
        (404, FailedPrecondition),
    ],
)
async def test_a_refusal_has_its_class_and_does_not_quote(
    status: int, kind: type[MnemaError]
) -> None:
    with RerankServer(Odd(status, b"your key is k-secret")) as server:
        with pytest.raises(kind) as raised:
            await scores(server, *TEXTS, api_key=SecretStr("k-secret"))
        assert len(server.requests) == 1
    assert "secret" not in str(raised.value)
    assert raised.value.metadata["status"] == str(status)


def _results(*pairs: tuple[int, Any]) -> bytes:
    results = [{"index": index, "relevance_score": score} for index, score in pairs]
    return json.dumps({"results": results}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b"[]",
        b'{"results": 3}',
        _results((0, 1.0), (1, 1.0)),
        _results((0, 1.0), (1, 1.0), (3, 1.0)),
        _results((0, 1.0), (1, 1.0), (1, 1.0)),
        _results((0, 1.0), (1, "high"), (2, 1.0)),
        _results((0, 1.0), (1, float("nan")), (2, 1.0)),
    ],
)
async def test_an_answer_that_makes_no_sense_is_refused(body: bytes) -> None:
    with RerankServer(Odd(body=body)) as server, pytest.raises(Internal):
        await scores(server, *TEXTS)


async def test_a_slow_or_missing_server_is_unavailable() -> None:
    slow = pytest.raises(Unavailable, match=r"within 0\.2 s")
    with RerankServer(Odd(seconds=600)) as server, slow:
        await scores(server, *TEXTS, timeout_seconds=0.2)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await scores(server, *TEXTS)


def test_without_an_address_there_is_none() -> None:
    assert create_reranker(RerankSettings()) is None
    with pytest.raises(ValidationError):
        RerankSettings(base_url="localhost:8080")
