"""The remote provider against a real HTTP server that speaks OpenAI's embeddings API."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from services.providers.embeddings.openai_compatible import OpenAICompatibleEmbedding
from services.providers.embeddings.settings import EmbeddingSettings
from services.providers.embeddings.status import retry_after_seconds
from services.runtime.errors import (
    FailedPrecondition,
    Internal,
    MnemaError,
    ResourceExhausted,
    Unavailable,
)

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class EmbeddingsServer:
    """Answers each text with (its length, 1, 0), or with what the test puts into `answers`."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    change: Callable[[list[dict[str, Any]]], object] = lambda rows: rows
    delay_seconds: float = 0
    port: int = 0

    def reply(self, request: dict[str, Any], headers: dict[str, str]) -> Answer:
        self.requests.append(request)
        self.headers.append(headers)
        time.sleep(self.delay_seconds)
        if self.answers:
            return self.answers.pop(0)
        rows = [
            {"object": "embedding", "index": index, "embedding": [len(text), 1.0, 0.0]}
            for index, text in enumerate(request["input"])
        ]
        body = {"object": "list", "data": self.change(rows), "model": request["model"]}
        return 200, {}, json.dumps(body).encode()


@pytest.fixture
def server() -> Iterator[EmbeddingsServer]:
    state = EmbeddingsServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, extra, answer = state.reply(body | {"path": self.path}, headers)
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | extra).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that stopped waiting is part of the tests."""

    listening = Server(("127.0.0.1", 0), Handler)
    state.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    listening.shutdown()
    thread.join()
    listening.server_close()


def _provider(server: EmbeddingsServer, **changes: Any) -> OpenAICompatibleEmbedding:
    fields = {
        "provider": "openai",
        "model": "three-numbers",
        "base_url": f"http://127.0.0.1:{server.port}/v1",
        "api_key": SecretStr("sk-secret"),
        "dims": 3,
        "max_retries": 0,
    }
    return OpenAICompatibleEmbedding(EmbeddingSettings.model_validate(fields | changes))


async def _failure(provider: OpenAICompatibleEmbedding, texts: list[str]) -> MnemaError:
    with pytest.raises(MnemaError) as raised:
        await provider.embed_batch(texts)
    await provider.close()
    return raised.value


async def test_vectors_are_unit_length_and_the_request_is_openais(
    server: EmbeddingsServer,
) -> None:
    provider = _provider(server)

    vector = await provider.embed("abcd")
    await provider.close()

    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, np.array([4, 1, 0]) / np.sqrt(17), atol=1e-6)
    assert server.requests == [
        {
            "path": "/v1/embeddings",
            "model": "three-numbers",
            "input": ["abcd"],
            "encoding_format": "float",
        }
    ]
    assert server.headers[0]["authorization"] == "Bearer sk-secret"


async def test_a_large_batch_is_split_and_put_together_in_order(
    server: EmbeddingsServer,
) -> None:
    server.change = lambda rows: rows[::-1]  # `index` is what counts, not the place
    provider = _provider(server, batch_limit=3)

    rows = await provider.embed_batch(["x" * length for length in range(1, 11)])
    await provider.close()

    np.testing.assert_allclose(rows[:, 0] / rows[:, 1], np.arange(1, 11), rtol=1e-5)
    assert sorted(len(request["input"]) for request in server.requests) == [1, 3, 3, 3]


async def test_no_texts_make_no_request(server: EmbeddingsServer) -> None:
    provider = _provider(server)

    assert (await provider.embed_batch([])).shape == (0, 3)
    assert server.requests == []
    await provider.close()


async def test_empty_and_overlong_texts_are_made_acceptable(server: EmbeddingsServer) -> None:
    provider = _provider(server, max_characters=100)

    await provider.embed_batch(["", "x" * 101])
    await provider.close()

    assert server.requests[0]["input"] == [" ", "x" * 100]


async def test_shortened_vectors_are_asked_for_only_where_they_exist(
    server: EmbeddingsServer,
) -> None:
    shortened = _provider(server, model="text-embedding-3-small")
    await shortened.embed("a")
    await shortened.close()

    assert server.requests[0]["dimensions"] == 3


async def test_a_passing_failure_is_retried(server: EmbeddingsServer) -> None:
    server.answers = [(503, {"Retry-After": "0.01"}, b"{}"), (429, {"Retry-After": "0.01"}, b"{}")]
    provider = _provider(server, max_retries=2)

    assert (await provider.embed("a")).shape == (3,)
    assert len(server.requests) == 3
    await provider.close()


async def test_a_rate_limit_says_when_to_retry(server: EmbeddingsServer) -> None:
    server.answers = [(429, {"Retry-After": "17"}, b'{"error": {"message": "slow down"}}')]

    error = await _failure(_provider(server), ["a"])

    assert isinstance(error, ResourceExhausted)
    assert error.retry_after == 17
    assert error.metadata == {"model": "three-numbers", "status": "429"}


@pytest.mark.parametrize("status", [500, 502, 503, 408])
async def test_a_failing_server_is_unavailable(server: EmbeddingsServer, status: int) -> None:
    server.answers = [(status, {"Retry-After": "2"}, b"{}")]

    error = await _failure(_provider(server), ["a"])

    assert isinstance(error, Unavailable)
    assert error.retry_after == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refusal_is_a_matter_of_configuration_and_keeps_the_key_secret(
    server: EmbeddingsServer, status: int
) -> None:
    message = b'{"error": {"message": "Incorrect API key provided: sk-secret"}}'
    server.answers = [(status, {}, message)]

    error = await _failure(_provider(server), ["a"])

    assert isinstance(error, FailedPrecondition)
    assert str(status) in error.message
    assert "sk-secret" not in error.message


async def test_an_unreachable_server_is_unavailable(server: EmbeddingsServer) -> None:
    # Port 1 is reserved and nothing listens there.
    error = await _failure(_provider(server, base_url="http://127.0.0.1:1/v1"), ["a"])

    assert isinstance(error, Unavailable)


async def test_a_server_that_does_not_answer_in_time_is_unavailable(
    server: EmbeddingsServer,
) -> None:
    server.delay_seconds = 600

    error = await _failure(_provider(server, timeout_seconds=0.1), ["a"])

    assert isinstance(error, Unavailable)


async def test_one_failing_part_fails_the_batch_with_its_own_error(
    server: EmbeddingsServer,
) -> None:
    server.answers = [(429, {"Retry-After": "3"}, b"{}")]

    error = await _failure(_provider(server, batch_limit=1), ["a", "b", "c"])

    assert isinstance(error, ResourceExhausted)


WRONG_ROWS: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "one too few": lambda rows: rows[:-1],
    "one too many": lambda rows: [*rows, rows[0] | {"index": len(rows)}],
    "one twice": lambda rows: [rows[0], rows[0]],
    "a zero vector": lambda rows: [row | {"embedding": [0, 0, 0]} for row in rows],
    "not a number": lambda rows: [row | {"embedding": [1, None, 0]} for row in rows],
    "no vectors": lambda rows: [{"index": 0}, {"index": 1}],
    "not a list": lambda rows: None,
    "ragged rows": lambda rows: [rows[0], rows[1] | {"embedding": [1.0]}],
}


@pytest.mark.parametrize("name", WRONG_ROWS)
async def test_a_broken_answer_is_an_error(server: EmbeddingsServer, name: str) -> None:
    server.change = WRONG_ROWS[name]

    assert isinstance(await _failure(_provider(server), ["a", "b"]), Internal)


async def test_an_answer_that_is_not_json_is_an_error(server: EmbeddingsServer) -> None:
    server.answers = [(200, {"Content-Type": "text/html"}, b"<h1>Welcome</h1>")]

    assert isinstance(await _failure(_provider(server), ["a"]), Internal)


async def test_another_dimension_than_configured_is_an_error(server: EmbeddingsServer) -> None:
    error = await _failure(_provider(server, dims=4), ["a"])

    assert isinstance(error, FailedPrecondition)
    assert error.metadata == {"dims": "3", "configured_dims": "4"}


def test_presets_name_model_and_dimension() -> None:
    key = SecretStr("sk-secret")
    small = OpenAICompatibleEmbedding(EmbeddingSettings(provider="openai", api_key=key))
    bge = OpenAICompatibleEmbedding(EmbeddingSettings(provider="siliconflow", api_key=key))

    assert (small.model, small.dims) == ("text-embedding-3-small", 1536)
    assert (bge.model, bge.dims) == ("BAAI/bge-m3", 1024)


def test_retry_after_is_read_as_seconds_and_as_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    assert retry_after_seconds({"retry-after": "1.5"}) == 1.5
    assert retry_after_seconds({"retry-after": soon}) == pytest.approx(3600, abs=60)
    assert retry_after_seconds({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}) == 0
    assert retry_after_seconds({"retry-after": "soon"}) is None
    assert retry_after_seconds({}) is None
