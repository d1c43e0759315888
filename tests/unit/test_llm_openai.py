"""The OpenAI-compatible provider against a real HTTP server on this machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.providers.llm.base import ChatMessage, LlmCall, MalformedAnswer, ResponseSchema
from services.providers.llm.openai_compatible import OpenAiCompatible
from services.providers.llm.settings import LlmSettings
from services.runtime.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    MnemaError,
    ResourceExhausted,
    Unavailable,
)
from tests.openai_server import (
    Behaviour,
    Dropping,
    Failing,
    Hanging,
    NoCompletion,
    Ok,
    OpenAiServer,
    RateLimited,
)
from tests.patience import PATIENCE

HELLO = [ChatMessage("system", "Be brief."), ChatMessage("user", "Hello")]
SCHEMA = ResponseSchema("thing", {"type": "object", "properties": {}, "required": []})


@asynccontextmanager
async def provider(
    server: OpenAiServer, *, timeout: float = PATIENCE, calls: list[LlmCall] | None = None
) -> AsyncIterator[OpenAiCompatible]:
    settings = LlmSettings(
        provider="openai_compatible",
        model="test-model",
        base_url=server.base_url,
        timeout_seconds=timeout,
        max_tokens=77,
        temperature=0.2,
    )
    llm = OpenAiCompatible(settings, None if calls is None else calls.append)
    try:
        yield llm
    finally:
        await llm.close()


async def test_one_call_is_one_request_with_the_configured_values() -> None:
    calls: list[LlmCall] = []
    with OpenAiServer(answer=lambda request: f"you said {request.user_text}") as server:
        async with provider(server, calls=calls) as llm:
            completion = await llm.chat(HELLO, response_schema=SCHEMA)
        (request,) = server.requests
    assert completion.text == "you said Hello"
    assert (completion.model, completion.prompt_tokens, completion.completion_tokens) == (
        "test-model", 100, 20,
    )  # fmt: skip
    assert completion.duration_ms > 0
    assert request.system_text == "Be brief."
    assert (request.body["max_tokens"], request.body["temperature"]) == (77, 0.2)
    assert request.body["response_format"]["type"] == "json_schema"
    (call,) = calls
    assert (call.model, call.max_tokens, call.temperature, call.success) == (
        "test-model", 77, 0.2, True,
    )  # fmt: skip


async def test_values_of_the_call_go_before_the_configured_ones() -> None:
    with OpenAiServer(answer=lambda _: "x") as server:
        async with provider(server) as llm:
            await llm.chat(HELLO, temperature=0.0, max_tokens=5)
        body = server.requests[0].body
    assert (body["max_tokens"], body["temperature"]) == (5, 0.0)
    assert "response_format" not in body


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (Failing(500), Unavailable),
        (Failing(503), Unavailable),
        (Failing(408), DeadlineExceeded),
        (Dropping(), Unavailable),
        (RateLimited(3), ResourceExhausted),
        (Failing(400, "your prompt is too long"), FailedPrecondition),
        (Failing(401, "wrong key"), FailedPrecondition),
        (Failing(404, "no such model"), FailedPrecondition),
        (NoCompletion(), MalformedAnswer),
        (NoCompletion("{", "application/json"), MalformedAnswer),
        (NoCompletion("{}", "application/json"), MalformedAnswer),
        (Ok(""), MalformedAnswer),
    ],
)
async def test_failures_become_our_errors_after_one_request(
    behaviour: Behaviour, error: type[MnemaError]
) -> None:
    calls: list[LlmCall] = []
    with OpenAiServer() as server:
        server.script(behaviour)
        async with provider(server, calls=calls) as llm:
            with pytest.raises(MnemaError) as caught:
                await llm.chat(HELLO)
        assert server.count("chat") == 1
    assert type(caught.value) is error
    assert [call.success for call in calls] == [False]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(7, 7.0), (1.5, 1.5), (None, None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None)],
)
async def test_a_rate_limit_says_when_to_retry(
    header: float | str | None, seconds: float | None
) -> None:
    with OpenAiServer() as server:
        server.script(RateLimited(header))
        async with provider(server) as llm:
            with pytest.raises(ResourceExhausted) as caught:
                await llm.chat(HELLO)
    assert caught.value.retry_after == seconds


async def test_a_server_that_hangs_runs_into_the_deadline() -> None:
    with OpenAiServer() as server:
        server.script(Hanging())
        async with provider(server, timeout=0.3) as llm:
            with pytest.raises(DeadlineExceeded):
                await llm.chat(HELLO)


async def test_nobody_listening_is_unavailable() -> None:
    with OpenAiServer() as server:
        gone = server
    async with provider(gone) as llm:
        with pytest.raises(Unavailable):
            await llm.chat(HELLO)


@pytest.mark.parametrize(
    ("refused", "sent"),
    [
        ({"json_schema"}, ["json_schema", "json_object"]),
        ({"json_schema", "json_object"}, ["json_schema", "json_object", None]),
    ],
)
async def test_a_refused_answer_format_is_asked_for_once(
    refused: set[str], sent: list[str | None]
) -> None:
    calls: list[LlmCall] = []
    with OpenAiServer(answer=lambda _: "{}", refused=refused) as server:
        async with provider(server, calls=calls) as llm:
            await llm.chat(HELLO, response_schema=SCHEMA)
            await llm.chat(HELLO, response_schema=SCHEMA)
        formats = [each.body.get("response_format", {}).get("type") for each in server.requests]
    # The second call starts with what the first one found to work.
    assert formats == [*sent, sent[-1]]
    assert [call.success for call in calls] == [True, True]


async def test_newer_parameters_are_learnt_too() -> None:
    with OpenAiServer(answer=lambda _: "x", refused={"max_tokens", "temperature"}) as server:
        async with provider(server) as llm:
            await llm.chat(HELLO)
            await llm.chat(HELLO)
        assert server.count("chat") == 4
        last = server.requests[-1].body
    assert last["max_completion_tokens"] == 77
    assert not {"max_tokens", "temperature"} & last.keys()
