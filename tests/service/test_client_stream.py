"""What `ingest_stream` sends and gives, on both sides."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import grpc
import pytest

from mnema.client import AsyncMnema, FailedPrecondition, Mnema
from mnema.v1 import ingest_service_pb2 as pb
from tests.patience import PATIENCE
from tests.service.client_script import Failure, Script, scripted
from tests.service.client_sides import Side

RECEIPTS = [
    pb.IngestStreamResponse(message_id=f"m{n}", session_id="s", sequence=n, request_id=f"r{n}")
    for n in (1, 2)
]
GIVEN: list[dict[str, Any]] = [
    {"role": "user", "content": "one", "metadata": {"n": 1}},
    {"role": "user", "content": "two", "session_id": "other", "request_id": "mine"},
]


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with scripted() as running:
        yield running


@pytest.fixture(params=[AsyncMnema, Mnema])
async def side(request: pytest.FixtureRequest, script: Script) -> AsyncIterator[Side]:
    side = Side(request.param(script.address, timeout=PATIENCE, retries=0))
    yield side
    await side.run(side.nm.close)


class Spoken:
    """Messages for either side; raises `failure` behind them."""

    def __init__(self, *messages: dict[str, Any], failure: Exception | None = None) -> None:
        self._messages = messages
        self._failure = failure

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self._messages
        if self._failure is not None:
            raise self._failure

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        for each in self:
            yield each


async def test_each_message_has_a_request_id_and_a_receipt(side: Side, script: Script) -> None:
    script.on("IngestStream", RECEIPTS)
    receipts = await side.drain(side.nm.ingest_stream("alice", Spoken(*GIVEN), "s", timeout=900))
    assert [(each.id, each.sequence, each.request_id) for each in receipts] == [
        ("m1", 1, "r1"),
        ("m2", 2, "r2"),
    ]
    (call,) = script.of("IngestStream")
    one, two = call.requests
    assert (one.user_id, one.session_id, one.content, one.metadata["n"]) == ("alice", "s", "one", 1)
    assert UUID(one.request_id).version == 4
    assert (two.session_id, two.request_id) == ("other", "mine")
    assert 600 < call.seconds_left < 910  # not the client's own timeout


async def test_a_stream_that_fails_is_not_repeated(side: Side, script: Script) -> None:
    closed = Failure(grpc.StatusCode.FAILED_PRECONDITION)
    script.on("IngestStream", [RECEIPTS[0], closed])
    with pytest.raises(FailedPrecondition):
        await side.drain(side.nm.ingest_stream("alice", Spoken(*GIVEN)))
    assert len(script.of("IngestStream")) == 1


async def test_a_message_that_is_none_is_told_behind_the_receipts(
    side: Side, script: Script
) -> None:
    script.on("IngestStream", RECEIPTS[:1])
    for wrong, text in (({"role": "user"}, "to have 'content'"), ({**GIVEN[0], "a": 1}, "no key")):
        with pytest.raises(ValueError, match=text):
            await side.drain(side.nm.ingest_stream("alice", Spoken(GIVEN[0], wrong)))
        assert [each.content for each in script.of("IngestStream")[-1].requests] == ["one"]


async def test_what_the_messages_raise_is_raised(side: Side, script: Script) -> None:
    script.on("IngestStream", RECEIPTS[:1])
    spoken = Spoken(GIVEN[0], failure=OSError("the microphone is gone"))
    with pytest.raises(OSError, match="microphone"):
        await side.drain(side.nm.ingest_stream("alice", spoken))


async def test_a_reader_may_stop_early(side: Side, script: Script) -> None:
    script.on("IngestStream", RECEIPTS)
    stream = side.nm.ingest_stream("alice", Spoken(*GIVEN))
    assert [each.id for each in await side.drain(stream, limit=1)] == ["m1"]
