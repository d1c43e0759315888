"""Events and callbacks of both clients, against a server that follows a script."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mnema.client import AsyncMnema, InvalidArgument, Mnema
from mnema.v1 import event_service_pb2 as pb
from mnema.v1 import ingest_service_pb2, types_pb2
from services.embedded.ports import free_ports
from tests.patience import PATIENCE
from tests.service.client_script import Failure, Hang, Script, Until, scripted
from tests.service.client_sides import Side
from tests.service.ingest_world import until

AT = Timestamp(seconds=1_780_000_000)
EXTRACTION = pb.ExtractionEvent(
    session_id="s",
    extraction_id="x",
    duration=Duration(seconds=1, nanos=500_000_000),
    facts_extracted=2,
    episodes_extracted=1,
    triples_extracted=3,
    messages_processed=4,
)
LLM_CALL = pb.LlmCallEvent(
    purpose=pb.LLM_PURPOSE_DIGEST,
    model="gpt",
    duration_ms=2.5,
    max_tokens=800,
    temperature=0.5,
    success=True,
    prompt_tokens=7,
    completion_tokens=3,
)
EMBEDDING_CALL = pb.EmbeddingCallEvent(text_count=2, model="mini", duration_ms=1.5, success=False)
CHANGED = pb.MemoryChangedEvent(
    memory_id="m", change=pb.MEMORY_CHANGE_SUPERSEDED, memory_type=types_pb2.MEMORY_TYPE_FACT,
    revision=2, superseded_by="n",
)  # fmt: skip
IDLE = Hang(600)
GONE = Failure(grpc.StatusCode.UNAVAILABLE, retry_after=0.01)
EXPIRED = Failure(grpc.StatusCode.OUT_OF_RANGE, reason="CURSOR_EXPIRED")


def event(number: int, **payload: Any) -> pb.Event:
    return pb.Event(
        cursor=f"c{number}", event_id=f"e{number}", user_id="alice", recorded_at=AT, **payload
    )


def told(cursor: str, *events: pb.Event) -> pb.WatchResponse:
    return pb.WatchResponse(events=events, cursor=cursor)


ALL = (
    event(1, extraction=EXTRACTION),
    event(2, llm_call=LLM_CALL),
    event(3, embedding_call=EMBEDDING_CALL),
    event(4, digest=pb.DigestEvent(memories_analyzed=5, insights_generated=1)),
    event(5, memory_changed=CHANGED),
    event(6),  # of a type to come
)


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with scripted() as running:
        running.on(
            "GetIngestStatus", ingest_service_pb2.GetIngestStatusResponse(pending_messages=0)
        )
        yield running


@pytest.fixture(params=[AsyncMnema, Mnema])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def side(kind: Any, script: Script) -> AsyncIterator[Side]:
    side = Side(kind(script.address, timeout=PATIENCE))
    yield side
    await side.run(side.nm.close)


async def test_events_are_listed(side: Side, script: Script) -> None:
    script.on("ListEvents", pb.ListEventsResponse(events=ALL, next_cursor="c6"))
    found = await side.run(side.nm.events.list, "alice", ["digest", "llm_call"], "c0", limit=7)
    (call,) = script.of("ListEvents")
    assert call.request == pb.ListEventsRequest(
        user_id="alice", types=[pb.EVENT_TYPE_DIGEST, pb.EVENT_TYPE_LLM_CALL], cursor="c0",
        page_size=7,
    )  # fmt: skip
    kinds = ["extraction", "llm_call", "embedding_call", "digest", "memory_changed", ""]
    assert [each.type for each in found] == kinds
    assert [(each.cursor, each.id, each.user_id) for each in found[:2]] == [
        ("c1", "e1", "alice"),
        ("c2", "e2", "alice"),
    ]
    assert found[0].recorded_at == datetime.fromtimestamp(1_780_000_000, UTC)
    assert found[0].data["duration"] == 1.5
    assert found[1].data["purpose"] == "digest"
    assert found[4].data == {
        "memory_id": "m", "change": "superseded", "memory_type": "fact", "revision": 2,
        "superseded_by": "n",
    }  # fmt: skip
    assert found[5].data == {}
    script.on(
        "ListEvents",
        pb.ListEventsResponse(next_cursor="c1", has_more=True),
        pb.ListEventsResponse(events=ALL[:2], next_cursor="c3", has_more=True),
        pb.ListEventsResponse(events=ALL[2:3], next_cursor="c4", has_more=True),
    )
    assert len(await side.run(side.nm.events.list, limit=3)) == 3
    asked = [(call.request.cursor, call.request.page_size) for call in script.of("ListEvents")[1:]]
    assert asked == [("", 3), ("c1", 3), ("c3", 1)]
    with pytest.raises(ValueError, match="limit is 0"):
        await side.run(side.nm.events.list, limit=0)
    with pytest.raises(ValueError, match="type of event"):
        await side.run(side.nm.events.list, types="birthday")


async def test_watching_goes_on_from_its_cursor(side: Side, script: Script) -> None:
    script.on(
        "Watch",
        [told("c0"), told("c2", ALL[0], ALL[1]), GONE],
        GONE,
        Failure(grpc.StatusCode.INTERNAL, bare=True),  # what a gateway says whose server is gone
        [told("c3", ALL[2])],  # and it ends as a stream ends that has lasted long enough
        [told("c4", ALL[3]), IDLE],
    )
    events = await side.drain(side.nm.events.watch("alice"), limit=4)
    assert [each.id for each in events] == ["e1", "e2", "e3", "e4"]
    cursors = [call.request.cursor for call in script.of("Watch")]
    assert cursors == ["", "c2", "c2", "c2", "c3"]


async def test_what_is_for_good_is_raised(side: Side, script: Script) -> None:
    script.on("Watch", EXPIRED)
    with pytest.raises(InvalidArgument) as caught:
        await side.drain(side.nm.events.watch(cursor="old"))
    assert caught.value.reason == "CURSOR_EXPIRED"
    assert len(script.of("Watch")) == 1


class Heard:
    """Callbacks that keep what they are told, as functions or as coroutine functions."""

    def __init__(self) -> None:
        self.stats: list[dict[str, Any]] = []

    def plain(self, stats: dict[str, Any]) -> None:
        self.stats.append(stats)

    async def coroutine(self, stats: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        self.stats.append(stats)

    async def count(self, number: int) -> None:
        async def enough() -> bool:
            return len(self.stats) >= number

        await until(enough)


async def entered(nm: Any) -> None:
    if isinstance(nm, AsyncMnema):
        await nm.__aenter__()
    else:
        await asyncio.to_thread(nm.__enter__)


async def closed(nm: Any) -> None:
    await Side(nm).run(nm.close)


@pytest.mark.parametrize("form", ["plain", "coroutine"])
async def test_callbacks_are_given_what_neuromem_gives(
    kind: Any, script: Script, form: str
) -> None:
    failed = pb.ExtractionEvent(session_id="s", failed=True, reason="PROVIDER_UNAVAILABLE")
    script.on("Watch", [told("c0"), told("c9", event(0, extraction=failed), *ALL), IDLE])
    heard = Heard()
    function: Callable[..., Any] = getattr(heard, form)
    nm = kind(
        script.address, on_extraction=function, on_llm_call=function, on_embedding_call=function
    )
    await entered(nm)
    await heard.count(3)
    await closed(nm)
    assert heard.stats == [
        {
            "user_id": "alice",
            "session_id": "s",
            "duration": 1.5,
            "facts_extracted": 2,
            "episodes_extracted": 1,
            "triples_extracted": 3,
            "messages_processed": 4,
        },
        {
            "duration_ms": 2.5,
            "model": "gpt",
            "max_tokens": 800,
            "temperature": 0.5,
            "success": True,
        },
        {"text_count": 2, "duration_ms": 1.5, "model": "mini", "success": False},
    ]
    (call,) = script.of("Watch")
    assert set(call.request.types) == {1, 2, 3}
    assert call.request.user_id == ""


async def test_a_callback_that_raises_ends_nothing(
    kind: Any, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()

    def raising(stats: dict[str, Any]) -> None:
        heard.plain(stats)
        raise OSError("the disk is full")

    script.on("Watch", [told("c2", ALL[0], ALL[0]), GONE], [told("c3", ALL[0]), IDLE])
    nm = kind(script.address, on_extraction=raising)
    with caplog.at_level(logging.ERROR, "mnema.client"):
        await entered(nm)
        await heard.count(3)
        await closed(nm)
    assert len(heard.stats) == 3
    assert caplog.text.count("OSError: the disk is full") == 3


async def test_a_callback_may_be_set_changed_and_taken_away(side: Side, script: Script) -> None:
    nm, first, second = side.nm, Heard(), Heard()
    changed, taken_away = asyncio.Event(), asyncio.Event()
    assert nm.on_extraction is None

    def more(_: Any) -> Any:
        events = [told(f"c{n}", ALL[0]) for n in (1, 2, 3)]
        return [events[0], Until(changed), events[1], Until(taken_away), events[2]]

    script.on("Watch", more)
    await side.run(nm.status, "alice")
    assert script.of("Watch") == []  # nothing to call, nothing to watch
    nm.on_extraction = first.plain
    assert nm.on_extraction == first.plain
    await first.count(1)
    nm.on_extraction = second.plain
    changed.set()
    await second.count(1)
    nm.on_extraction = None
    taken_away.set()
    await asyncio.sleep(0.5)
    assert (len(first.stats), len(second.stats)) == (1, 1)
    assert len(script.of("Watch")) == 1


def test_a_client_made_without_an_event_loop_watches_from_its_first_call() -> None:
    heard = Heard()
    (port,) = free_ports(1)
    nm = AsyncMnema(f"127.0.0.1:{port}", on_extraction=heard.plain)

    async def use() -> None:
        async with scripted(port) as script:
            script.on("GetIngestStatus", ingest_service_pb2.GetIngestStatusResponse())
            script.on("Watch", [told("c1", ALL[0]), IDLE])
            await nm.status("alice")
            await heard.count(1)
            await nm.close()

    asyncio.run(use())
    assert len(heard.stats) == 1


async def test_a_wrong_key_is_told_once_and_does_not_hold_up_the_start(
    kind: Any,
    script: Script,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("_async", "_sync"):
        monkeypatch.setattr(f"mnema.client.{module}.callbacks.BEGIN_SECONDS", PATIENCE)
    script.on("Watch", Failure(grpc.StatusCode.UNAUTHENTICATED, reason="API_KEY_INVALID"))
    nm = kind(script.address, on_extraction=Heard().plain)
    began = asyncio.get_running_loop().time()
    await entered(nm)
    assert asyncio.get_running_loop().time() - began < PATIENCE / 2
    await asyncio.sleep(0.3)
    await closed(nm)
    assert len(script.of("Watch")) == 1
    assert caplog.text.count("API_KEY_INVALID") == 1


async def test_a_client_that_watches_closes_at_once(kind: Any, script: Script) -> None:
    script.on("Watch", [told("c0"), IDLE])
    nm = kind(script.address, on_llm_call=Heard().plain)
    await entered(nm)
    began = asyncio.get_running_loop().time()
    await closed(nm)
    await closed(nm)
    assert asyncio.get_running_loop().time() - began < PATIENCE / 2
