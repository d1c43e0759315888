"""Settings as attributes of the client: sent before the next call, whatever else runs."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest

from mnema.client import (
    UNCHANGED,
    AsyncMnema,
    ExtractionStrategy,
    InvalidArgument,
    Mnema,
    Settings,
    Unavailable,
)
from mnema.v1 import account_service_pb2 as pb
from mnema.v1 import ingest_service_pb2, memory_service_pb2
from tests.patience import PATIENCE
from tests.service.client_script import Failure, Script, scripted
from tests.service.client_sides import Side

CODE = grpc.StatusCode
SETTLED = ingest_service_pb2.GetIngestStatusResponse()
CHANGED = pb.UpdateSettingsResponse()
STRATEGY = ExtractionStrategy(message_interval=10, idle_timeout=1.5, reflection_interval=7)


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with scripted() as running:
        running.on("GetIngestStatus", SETTLED)
        running.on("UpdateSettings", CHANGED)
        yield running


@pytest.fixture(params=[AsyncMnema, Mnema])
async def side(request: pytest.FixtureRequest, script: Script) -> AsyncIterator[Side]:
    side = Side(request.param(script.address, timeout=PATIENCE, retries=0))
    yield side
    await side.run(side.nm.close)


def methods(script: Script) -> list[str]:
    return [call.method for call in script.calls]


def sent(script: Script) -> list[tuple[list[str], Any]]:
    """The masks and settings that were sent."""
    requests = [call.request for call in script.of("UpdateSettings")]
    return [(list(each.update_mask.paths), each.settings) for each in requests]


async def test_an_assignment_goes_before_the_next_call_and_once(side: Side, script: Script) -> None:
    side.nm.reflection_interval = 10
    side.nm.auto_extract = False
    side.nm.auto_extract = True
    side.nm.graph_enabled = False
    assert script.calls == []
    assert (side.nm.reflection_interval, side.nm.auto_extract) == (10, True)
    await side.run(side.nm.status, "alice")
    await side.run(side.nm.status, "alice")
    assert methods(script) == ["UpdateSettings", "GetIngestStatus", "GetIngestStatus"]
    ((paths, settings),) = sent(script)
    assert sorted(paths) == ["auto_extract", "graph_enabled", "reflection_interval"]
    assert settings == pb.Settings(auto_extract=True, graph_enabled=False, reflection_interval=10)
    assert script.of("UpdateSettings")[0].request.request_id
    side.nm.auto_extract = None
    await side.run(side.nm.status, "alice")
    assert sent(script)[1] == (["auto_extract"], pb.Settings())


@pytest.mark.parametrize("client", [AsyncMnema, Mnema])
async def test_what_the_constructor_is_given(client: Any, script: Script) -> None:
    plain, chosen = (
        Side(client(script.address)),
        Side(client(script.address, auto_extract=False, extraction=STRATEGY)),
    )
    await plain.run(plain.nm.status, "alice")
    assert sent(script) == []
    # Another timeout is the same client still.
    await chosen.run(chosen.nm.with_timeout(3).status, "alice")
    ((paths, settings),) = sent(script)
    assert sorted(paths) == [
        "auto_extract",
        "extraction.idle_timeout",
        "extraction.message_interval",
        "extraction.on_session_close",
        "reflection_interval",
    ]
    assert settings.extraction.idle_timeout.ToTimedelta() == timedelta(seconds=1.5)
    assert (settings.extraction.message_interval, settings.reflection_interval) == (10, 7)
    for each in (plain, chosen):
        await each.run(each.nm.close)


async def test_calls_beside_each_other_all_wait(side: Side, script: Script) -> None:
    script.on("ListMemories", memory_service_pb2.ListMemoriesResponse())
    side.nm.auto_extract = False
    await asyncio.gather(
        *(side.run(side.nm.status, "alice") for _ in range(5)),
        *(side.run(side.nm.memories.list, "alice") for _ in range(5)),
    )
    assert methods(script)[0] == "UpdateSettings"
    assert methods(script).count("UpdateSettings") == 1


async def test_what_is_refused_is_raised_by_the_call_and_forgotten(
    side: Side, script: Script
) -> None:
    refusal = Failure(CODE.INVALID_ARGUMENT, "too many", "FIELD_OUT_OF_RANGE")
    script.on("UpdateSettings", refusal, CHANGED)
    side.nm.reflection_interval = 10**6
    with pytest.raises(InvalidArgument):
        await side.run(side.nm.status, "alice")
    assert methods(script) == ["UpdateSettings"]
    assert side.nm.reflection_interval is None
    await side.run(side.nm.status, "alice")
    assert methods(script) == ["UpdateSettings", "GetIngestStatus"]


async def test_while_the_server_is_down_the_change_waits(side: Side, script: Script) -> None:
    script.on("UpdateSettings", Failure(CODE.UNAVAILABLE, "down"), CHANGED)
    side.nm.auto_extract = False
    with pytest.raises(Unavailable):
        await side.run(side.nm.status, "alice")
    await side.run(side.nm.status, "alice")
    assert methods(script) == ["UpdateSettings", "UpdateSettings", "GetIngestStatus"]


async def test_settings_by_call(side: Side, script: Script) -> None:
    effective = pb.Settings(auto_extract=True, reflection_interval=20)
    effective.extraction.idle_timeout.FromMilliseconds(1500)
    told = pb.GetSettingsResponse(
        settings=pb.Settings(auto_extract=True), effective_settings=effective
    )
    script.on("GetSettings", told)
    level = await side.run(side.nm.accounts.get_settings, "alice", tenant_id="t")
    assert level.settings == Settings(auto_extract=True)
    assert level.effective == Settings(auto_extract=True, reflection_interval=20, idle_timeout=1.5)
    assert script.of("GetSettings")[0].request == pb.GetSettingsRequest(
        user_id="alice", tenant_id="t"
    )
    await side.run(
        side.nm.accounts.update_settings,
        auto_extract=None,
        on_session_close=False,
        idle_timeout=UNCHANGED,
    )
    ((paths, settings),) = sent(script)
    assert paths == ["auto_extract", "extraction.on_session_close"]
    assert settings == pb.Settings(extraction=pb.ExtractionStrategy(on_session_close=False))


async def test_extraction_by_hand(side: Side, script: Script) -> None:
    script.on("StartExtraction", ingest_service_pb2.StartExtractionResponse(session_ids=["a", "b"]))
    assert await side.run(side.nm.extract, "alice") == ["a", "b"]
    assert script.of("StartExtraction")[0].request.session_id == ""
