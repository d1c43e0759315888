"""How both clients make calls: deadlines, retries, request ids, errors. Against a real server."""

import asyncio
import inspect
import pickle
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest

from mnema.client import (
    AsyncMnema,
    DeadlineExceeded,
    FailedPrecondition,
    InternalError,
    InvalidArgument,
    Mnema,
    MnemaError,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from mnema.v1 import (
    ingest_service_pb2,
    key_value_service_pb2,
    memory_service_pb2,
    reflect_service_pb2,
    types_pb2,
)
from tests.patience import PATIENCE
from tests.service.client_script import Failure, Hang, Script, scripted
from tests.service.client_sides import Side

CODE = grpc.StatusCode
DOWN = Failure(CODE.UNAVAILABLE, "down")
INGESTED = ingest_service_pb2.IngestResponse(
    message=types_pb2.Message(message_id="m1", session_id="s1", role="user", content="hi")
)
SETTLED = ingest_service_pb2.GetIngestStatusResponse()


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with scripted() as running:
        yield running


@pytest.fixture(params=[AsyncMnema, Mnema])
async def side(request: pytest.FixtureRequest, script: Script) -> AsyncIterator[Side]:
    side = Side(request.param(script.address, api_key="mk_user_abc", timeout=PATIENCE))
    yield side
    await side.run(side.nm.close)


async def test_a_call_carries_the_key_and_a_deadline(side: Side, script: Script) -> None:
    script.on("Ingest", INGESTED)
    message = await side.run(side.nm.ingest, user_id="alice", role="user", content="hi")
    assert (message.id, message.session_id, message.content) == ("m1", "s1", "hi")
    call = script.of("Ingest")[0]
    assert call.metadata["authorization"] == "Bearer mk_user_abc"
    assert "mnema-client/" in call.metadata["user-agent"]
    assert PATIENCE / 2 < call.seconds_left < PATIENCE + 1  # the wire rounds up
    assert UUID(call.request.request_id).version == 4


async def test_a_write_is_retried_under_one_request_id(side: Side, script: Script) -> None:
    script.on("Ingest", DOWN, DOWN, INGESTED)
    await side.run(side.nm.ingest, "alice", "user", "hi")
    await side.run(side.nm.ingest, "alice", "user", "hi")
    ids = [call.request.request_id for call in script.of("Ingest")]
    assert len(ids) == 4
    assert len(set(ids[:3])) == 1, "attempts at one write share an id"
    assert ids[3] != ids[0], "the next write has its own"


async def test_the_callers_own_request_id_is_kept(side: Side, script: Script) -> None:
    script.on("Ingest", INGESTED)
    mine = "0197a3c2-0000-7000-8000-000000000001"
    await side.run(side.nm.ingest, "alice", "user", "hi", request_id=mine)
    assert script.of("Ingest")[0].request.request_id == mine


async def test_retry_info_is_waited_for(side: Side, script: Script) -> None:
    script.on("GetIngestStatus", Failure(CODE.UNAVAILABLE, retry_after=0.4), SETTLED)
    await side.run(side.nm.status, "alice")
    first, second = script.of("GetIngestStatus")
    assert 0.4 <= second.at - first.at < PATIENCE / 2


async def test_a_full_quota_is_retried_only_with_retry_info(side: Side, script: Script) -> None:
    script.on("GetIngestStatus", Failure(CODE.RESOURCE_EXHAUSTED, retry_after=0.05), SETTLED)
    await side.run(side.nm.status, "alice")
    assert len(script.of("GetIngestStatus")) == 2
    script.on("Ingest", Failure(CODE.RESOURCE_EXHAUSTED, reason="REQUEST_TOO_LARGE"))
    with pytest.raises(ResourceExhausted) as raised:
        await side.run(side.nm.ingest, "alice", "user", "hi")
    assert raised.value.reason == "REQUEST_TOO_LARGE"
    assert len(script.of("Ingest")) == 1


async def test_a_pause_that_would_pass_the_deadline_is_not_begun(
    side: Side, script: Script
) -> None:
    script.on("GetIngestStatus", Failure(CODE.UNAVAILABLE, retry_after=600))
    begun = time.monotonic()
    with pytest.raises(Unavailable) as raised:
        await side.run(side.nm.status, "alice")
    assert raised.value.retry_after == 600
    assert time.monotonic() - begun < PATIENCE / 2
    assert len(script.of("GetIngestStatus")) == 1


async def test_retries_end(side: Side, script: Script) -> None:
    script.on("GetIngestStatus", DOWN)
    with pytest.raises(Unavailable):
        await side.run(side.nm.status, "alice")
    assert len(script.of("GetIngestStatus")) == 5


@pytest.mark.parametrize(
    ("rpc", "call"),
    [
        ("DeleteMemory", lambda nm: (nm.memories.delete, "alice", "m1")),
        ("DeleteValue", lambda nm: (nm.kv.delete, "alice", "ns", "k")),
        ("CreateUser", lambda nm: (nm.accounts.create_user, "alice")),
        ("CreateApiKey", lambda nm: (nm.accounts.create_key, "tenant")),
    ],
)
async def test_a_change_without_a_request_id_is_made_once(
    side: Side, script: Script, rpc: str, call: Callable[[Any], tuple[Any, ...]]
) -> None:
    script.on(rpc, DOWN)
    with pytest.raises(Unavailable):
        await side.run(*call(side.nm))
    assert len(script.of(rpc)) == 1


@pytest.mark.parametrize("code", [CODE.INTERNAL, CODE.DEADLINE_EXCEEDED, CODE.ABORTED])
async def test_other_failures_are_not_retried(
    side: Side, script: Script, code: grpc.StatusCode
) -> None:
    script.on("Ingest", Failure(code))
    with pytest.raises(MnemaError) as raised:
        await side.run(side.nm.ingest, "alice", "user", "hi")
    assert raised.value.code is code
    assert len(script.of("Ingest")) == 1


async def test_the_timeout_covers_all_attempts(side: Side, script: Script) -> None:
    script.on("GetIngestStatus", Failure(CODE.UNAVAILABLE, retry_after=2), SETTLED)
    await side.run(side.nm.with_timeout(20).status, "alice")
    _, second = script.of("GetIngestStatus")
    # The pause is over. gRPC says as before what is within three per cent of it.
    assert second.seconds_left < 19


async def test_a_call_that_is_not_answered_is_given_up(side: Side, script: Script) -> None:
    script.on("GetIngestStatus", Hang(600))
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded) as raised:
        await side.run(side.nm.with_timeout(0.8).status, "alice")
    assert 0.7 < time.monotonic() - begun < PATIENCE
    assert raised.value.reason == "DEADLINE_EXCEEDED"


async def test_no_server_at_all(side: Side) -> None:
    nobody = type(side.nm)("127.0.0.1:1", timeout=PATIENCE, retries=1)
    with pytest.raises(Unavailable) as raised:
        await side.run(nobody.status, "alice")
    assert raised.value.reason == "UNAVAILABLE"
    await side.run(nobody.close)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (CODE.INVALID_ARGUMENT, InvalidArgument),
        (CODE.UNAUTHENTICATED, Unauthenticated),
        (CODE.PERMISSION_DENIED, PermissionDenied),
        (CODE.NOT_FOUND, NotFound),
        (CODE.FAILED_PRECONDITION, FailedPrecondition),
        (CODE.UNIMPLEMENTED, Unimplemented),
        (CODE.INTERNAL, InternalError),
    ],
)
async def test_each_code_has_its_class(
    side: Side, script: Script, code: grpc.StatusCode, kind: type[MnemaError]
) -> None:
    failure = Failure(code, "it failed", "SOME_REASON", {"limit": "3"})
    script.on("Ingest", failure)
    with pytest.raises(MnemaError) as raised:
        await side.run(side.nm.ingest, "alice", "user", "hi")
    error = raised.value
    assert type(error) is kind
    assert (error.code, error.message, error.reason) == (code, "it failed", "SOME_REASON")
    assert error.metadata == {"limit": "3"}
    assert error.request_id == "r-1"


async def test_violations_name_the_fields(side: Side, script: Script) -> None:
    violation = ("messages[2].content", "must have at most 400,000 characters", "FIELD_TOO_LONG")
    script.on("Ingest", Failure(CODE.INVALID_ARGUMENT, "wrong", violations=(violation,)))
    with pytest.raises(InvalidArgument) as raised:
        await side.run(side.nm.ingest, "alice", "user", "hi")
    found = raised.value.violations[0]
    assert (found.field, found.description, found.reason) == violation
    assert "messages[2].content" in str(raised.value)
    again = pickle.loads(pickle.dumps(raised.value))
    assert type(again) is InvalidArgument
    assert vars(again) == vars(raised.value)


async def test_a_failure_without_details_keeps_code_and_message(side: Side, script: Script) -> None:
    script.on("Ingest", Failure(CODE.PERMISSION_DENIED, "RBAC: access denied", bare=True))
    with pytest.raises(PermissionDenied) as raised:
        await side.run(side.nm.ingest, "alice", "user", "hi")
    assert str(raised.value) == "PERMISSION_DENIED: RBAC: access denied"


async def test_waiting_for_extraction(side: Side, script: Script) -> None:
    waiting = ingest_service_pb2.GetIngestStatusResponse(pending_messages=2)
    failed = ingest_service_pb2.GetIngestStatusResponse(failed_extractions=1)
    script.on("GetIngestStatus", waiting, waiting, failed)
    status = await side.run(side.nm.wait_until_extracted, "alice", timeout=PATIENCE)
    assert status.failed_extractions == 1
    assert len(script.of("GetIngestStatus")) == 3
    script.on("GetIngestStatus", waiting)
    with pytest.raises(DeadlineExceeded) as raised:
        await side.run(side.nm.wait_until_extracted, "alice", timeout=0.3)
    assert raised.value.metadata["pending_messages"] == "2"


async def test_a_digest_in_the_background(side: Side, script: Script) -> None:
    script.on("Digest", reflect_service_pb2.DigestResponse(digest_id="d1"))
    assert await side.run(side.nm.digest, "alice", background=True) is None
    assert await side.run(side.nm.start_digest, "alice", 10) == "d1"
    first, second = (call.request for call in script.of("Digest"))
    assert (first.background, first.batch_size) == (True, 50)
    assert (second.background, second.batch_size) == (True, 10)
    assert first.request_id != second.request_id


async def test_a_closed_client_says_so(side: Side, script: Script) -> None:
    script.on("GetIngestStatus", SETTLED)
    await side.run(side.nm.status, "alice")
    await side.run(side.nm.close)
    with pytest.raises(RuntimeError, match="closed"):
        await side.run(side.nm.status, "alice")
    await side.run(side.nm.close)


async def test_lists_page_inside(side: Side, script: Script) -> None:
    def page(request: memory_service_pb2.ListMemoriesRequest) -> Any:
        start = int(request.page_token or 0)
        stop = min(start + request.page_size, 1201)
        memories = [types_pb2.Memory(memory_id=str(number)) for number in range(start, stop)]
        return memory_service_pb2.ListMemoriesResponse(
            memories=memories, next_page_token=str(stop) if stop < 1201 else ""
        )

    script.on("ListMemories", page)
    memories = await side.run(side.nm.memories.list, "alice", limit=1100)
    assert [each.id for each in memories] == [str(number) for number in range(1100)]
    assert len(script.of("ListMemories")) == 3
    assert await side.run(side.nm.memories.list, "alice", limit=0) == []
    with pytest.raises(ValueError, match="limit"):
        await side.run(side.nm.memories.list, "alice", limit=-1)
    assert len(await side.drain(side.nm.memories.iter("alice"))) == 1201


async def test_a_missing_key_is_none_and_a_stored_null_is_a_value(
    side: Side, script: Script
) -> None:
    null = key_value_service_pb2.GetValueResponse()
    null.key_value.value.null_value = 0  # type: ignore[assignment]
    script.on("GetValue", Failure(CODE.NOT_FOUND, reason="RESOURCE_NOT_FOUND"))
    assert await side.run(side.nm.kv.get, "alice", "ns", "k") is None
    assert await side.run(side.nm.kv.get, "alice", "ns", "k", "fallback") == "fallback"
    script.on("GetValue", null)
    assert await side.run(side.nm.kv.get, "alice", "ns", "k", "fallback") is None


async def test_many_calls_side_by_side(side: Side, script: Script) -> None:
    script.on("Ingest", INGESTED)
    calls = [side.run(side.nm.ingest, f"user {n}", "user", "hi") for n in range(50)]
    assert len(await asyncio.gather(*calls)) == 50
    assert len({call.request.user_id for call in script.of("Ingest")}) == 50


def test_the_sides_have_the_same_interface() -> None:
    for name in ("", "conversations", "kv", "graph", "files", "memories", "accounts"):
        other, one = AsyncMnema("localhost"), Mnema("localhost")
        asynchronous: Any = getattr(other, name) if name else other
        synchronous: Any = getattr(one, name) if name else one
        methods = {each for each in dir(asynchronous) if not each.startswith("_")}
        assert methods == {each for each in dir(synchronous) if not each.startswith("_")}
        for method in methods:
            if callable(getattr(asynchronous, method)):
                ours = str(inspect.signature(getattr(asynchronous, method)))
                # What is only begun on one side has happened on the other.
                ours = re.sub(
                    r"_?asyncio\.Task\[(.+)\]", r"typing.Annotated[\1, 'had at once']", ours
                )
                theirs = str(inspect.signature(getattr(synchronous, method)))
                assert ours.replace("Async", "").replace("_async", "_sync") == theirs, method


def test_the_synchronous_client_is_current(pytestconfig: pytest.Config) -> None:
    root = Path(pytestconfig.rootpath)
    command = [sys.executable, str(root / "tools/sync_client.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
