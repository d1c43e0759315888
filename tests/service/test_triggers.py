"""What makes messages be extracted: their number, silence, a closed session, a call."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mnema.v1 import conversation_service_pb2 as conversation_pb
from mnema.v1 import ingest_service_pb2 as pb
from mnema.v1.types_pb2 import ExtractionState
from services.runtime.ids import owner_of
from services.runtime.scope import Scope
from services.storage import options
from tests.conftest import TestDatabase
from tests.service.ingest_world import USER, ScriptedExtractor, World, a_world, until


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with a_world(test_database) as made:
        yield made


async def choose(world: World, *, cleared: tuple[str, ...] = (), **changes: Any) -> None:
    """Options of the tenant."""
    async with world.database.transaction(Scope(world.tenant_id)) as connection:
        await options.change_tenant_options(connection, world.tenant_id, changes, cleared)


async def choose_for_user(world: World, **changes: Any) -> None:
    owner_id = owner_of(world.tenant_id, USER)
    async with world.database.transaction(Scope(world.tenant_id, owner_id)) as connection:
        await options.change_user_options(connection, world.tenant_id, owner_id, USER, changes, ())


async def extract(world: World, session_id: str = "") -> list[str]:
    request = pb.StartExtractionRequest(user_id=USER, session_id=session_id)
    return list((await world.call(world.ingest.StartExtraction, request)).session_ids)


async def close(world: World, session_id: str = "s") -> None:
    request = conversation_pb.CloseSessionRequest(user_id=USER, session_id=session_id)
    await world.call(world.conversations.CloseSession, request)


async def queued(world: World) -> int:
    (row,) = await world.fetch("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'extract'")
    return int(row["count"])


async def pending(world: World) -> int:
    return int((await world.status()).pending_messages)


def contents(extractor: ScriptedExtractor) -> list[list[str]]:
    return [[message.content for message in batch.messages] for batch in extractor.batches]


async def test_without_automatic_extraction_messages_wait_for_a_call(world: World) -> None:
    await choose(world, auto_extract=False)
    await world.say("tea")
    await world.say("chess", "another")
    await close(world, "another")
    assert (await queued(world), await pending(world)) == (0, 2)
    unextracted = conversation_pb.ListMessagesRequest(
        user_id=USER, extraction_state=ExtractionState.EXTRACTION_STATE_PENDING
    )
    listed = await world.call(world.conversations.ListMessages, unextracted)
    assert [message.content for message in listed.messages] == ["tea", "chess"]

    extractor = ScriptedExtractor()
    assert await extract(world, "s") == ["s"]
    assert await extract(world, "no such session") == []
    async with world.working(extractor):
        await until(lambda: _pending_is(world, 1))
        assert contents(extractor) == [["tea"]]
        assert await extract(world) == ["another"]
        assert await extract(world) in ([], ["another"])  # idempotent
        await world.settled()
        assert await extract(world) == []
    assert contents(extractor) == [["tea"], ["chess"]]


async def test_turned_on_again_the_next_message_takes_the_others_along(world: World) -> None:
    await choose(world, auto_extract=False)
    await world.say("tea")
    await choose(world, cleared=("auto_extract",))
    extractor = ScriptedExtractor()
    async with world.working(extractor):
        await world.say("chess")
        await world.settled()
    assert contents(extractor) == [["tea", "chess"]]


async def test_turned_off_it_holds_for_what_is_queued_already(test_database: TestDatabase) -> None:
    async with a_world(test_database, delay_seconds=60) as world:
        extractor = ScriptedExtractor()
        async with world.working(extractor):
            await world.say("tea")
            await choose(world, auto_extract=False)
            await world.passes(60)
            await until(lambda: _queue_is_empty(world))
            assert (extractor.batches, await pending(world)) == ([], 1)
            await choose(world, auto_extract=True)
            await world.say("chess")
            await world.passes(60)
            await world.settled()
        assert contents(extractor) == [["tea", "chess"]]


async def test_a_user_s_choice_goes_before_the_tenant_s(world: World) -> None:
    await choose(world, auto_extract=False)
    await choose_for_user(world, auto_extract=True)
    async with world.working(ScriptedExtractor()):
        await world.say("tea")
        await world.settled()


async def test_every_so_many_messages(world: World) -> None:
    await choose(world, message_interval=3)
    extractor = ScriptedExtractor()
    async with world.working(extractor):
        await world.say("1")
        await world.say("2")
        await world.say("elsewhere", "another")  # is counted apart
        assert await queued(world) == 0
        await world.say("3")
        await until(lambda: _pending_is(world, 1))
        await until(lambda: _queue_is_empty(world))
        await world.say("4")
        assert await queued(world) == 0
    assert contents(extractor) == [["1", "2", "3"]]


async def test_messages_that_come_at_once_are_counted_once(world: World) -> None:
    await choose(world, message_interval=5)
    extractor = ScriptedExtractor()
    async with world.working(extractor):
        await asyncio.gather(*(world.say(str(number)) for number in range(23)))
        await until(lambda: _queue_is_empty(world))
        assert await pending(world) < 5
    extracted = [content for batch in contents(extractor) for content in batch]
    assert len(extracted) == len(set(extracted)) == 23 - await pending(world)


async def test_silence_of_the_length_that_was_chosen(world: World) -> None:
    await choose(world, message_interval=0, idle_timeout_seconds=3600)
    extractor = ScriptedExtractor()
    async with world.working(extractor):
        await world.say("tea")
        await world.passes(2400)
        await world.say("chess")
        assert await queued(world) == 1  # the job of the first message stands for both
        await world.passes(2400)
        await until(lambda: _is_put_off(world))
        assert extractor.batches == []
        await world.passes(1200)
        await world.settled()
        await world.say("bread")
        await world.passes(3600)
        await world.settled()
    assert contents(extractor) == [["tea", "chess"], ["bread"]]


async def test_silence_besides_a_number(world: World) -> None:
    await choose(world, message_interval=2, idle_timeout_seconds=3600)
    extractor = ScriptedExtractor()
    async with world.working(extractor):
        await world.say("tea")
        await world.say("chess")
        await until(lambda: _batches(extractor, 1))
        await world.say("bread")
        await world.passes(3600)
        await world.settled()
        await until(lambda: _queue_is_empty(world))
    assert contents(extractor) == [["tea", "chess"], ["bread"]]


async def test_silence_that_is_no_longer_wanted(world: World) -> None:
    await choose(world, message_interval=0, idle_timeout_seconds=0.3)
    extractor = ScriptedExtractor()
    await world.say("tea")
    await choose(world, idle_timeout_seconds=0)
    async with world.working(extractor):
        await until(lambda: _queue_is_empty(world))
    assert (extractor.batches, await pending(world)) == ([], 1)


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_closed_session(world: World, wanted: bool) -> None:
    await choose(world, message_interval=0, on_session_close=wanted)
    await world.say("tea")
    assert await queued(world) == 0
    await close(world)
    assert await queued(world) == int(wanted)


async def test_manual_only(world: World) -> None:
    await choose(world, message_interval=0, on_session_close=False)
    await world.say("tea")
    await close(world)
    assert await queued(world) == 0
    async with world.working(ScriptedExtractor()):
        assert await extract(world) == ["s"]
        await world.settled()


async def test_many_sessions_are_started_at_once(world: World) -> None:
    await choose(world, auto_extract=False)
    messages = [
        pb.NewMessage(role="user", content="tea", session_id=f"s{number:03}")
        for number in range(450)
    ]
    await world.call(
        world.ingest.IngestBatch, pb.IngestBatchRequest(user_id=USER, messages=messages)
    )
    assert len(await extract(world)) == 450
    assert await queued(world) == 450


async def test_without_the_graph_nothing_goes_there(world: World) -> None:
    await choose(world, graph_enabled=False)
    extractor = ScriptedExtractor()
    async with world.working(extractor):
        await world.say("tea")
        await world.settled()
        await choose(world, graph_enabled=True)
        assert [await world.count(table) for table in ("graph_edges", "graph_nodes")] == [0, 0]
        assert await world.count("memories") == 1
        await world.say("chess")
        await world.settled()
    assert [batch.triples for batch in extractor.batches] == [False, True]
    assert await world.count("graph_edges") == 1


async def _pending_is(world: World, count: int) -> bool:
    status = await world.status()
    return bool(status.pending_messages == count and not status.running_extractions)


async def _is_put_off(world: World) -> bool:
    """What was due has run, and left one that is not."""
    rows = await world.fetch("SELECT execute_after > now() AS later FROM pgqueuer")
    return [row["later"] for row in rows] == [True]


async def _queue_is_empty(world: World) -> bool:
    return await queued(world) == 0


async def _batches(extractor: ScriptedExtractor, count: int) -> bool:
    return len(extractor.batches) == count
