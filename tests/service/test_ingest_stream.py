"""IngestStream over a real channel: committed together, acknowledged one by one, in their order."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from mnema.v1 import conversation_service_pb2 as conversation_pb
from mnema.v1 import ingest_service_pb2 as pb
from mnema.v1.ingest_service_pb2_grpc import IngestServiceStub
from services.ingest.arrivals import MOST_MESSAGES, MOST_OCTETS, Arrivals
from services.ingest.target import build_ingest
from services.runtime.scope import Scope
from services.storage import accounts
from tests.conftest import TestDatabase
from tests.patience import PATIENCE
from tests.service.ingest_world import USER, World, a_world, until
from tests.service.serving import serving


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with a_world(test_database) as made:
        yield made


def said(content: str, **fields: Any) -> pb.IngestStreamRequest:
    return pb.IngestStreamRequest(
        **{"user_id": USER, "role": "user", "session_id": "s", "content": content, **fields}
    )


def stream(world: World, requests: Any) -> Any:
    return world.ingest.IngestStream(
        requests, metadata=[("x-api-key", world.key)], timeout=PATIENCE
    )


async def all_of(world: World, requests: Iterable[pb.IngestStreamRequest]) -> list[Any]:
    return [answer async for answer in stream(world, iter(requests))]


async def broken(world: World, requests: Iterable[pb.IngestStreamRequest]) -> tuple[list[Any], Any]:
    """The answers before the failure, and the failure's ErrorInfo."""
    answers = []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for answer in stream(world, iter(requests)):
            answers.append(answer)  # noqa: PERF401 - kept although the stream fails
    status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]  # it has both methods
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return answers, info


async def contents(world: World, session_id: str = "s") -> list[str]:
    rows = await world.fetch(
        "SELECT content FROM messages WHERE session_id = $1 ORDER BY sequence", session_id
    )
    return [row["content"] for row in rows]


async def test_messages_are_acknowledged_in_their_order(world: World) -> None:
    sent = [said(f"message {n}", request_id=str(uuid4())) for n in range(250)]
    answers = await all_of(world, sent)
    assert [each.sequence for each in answers] == list(range(1, 251))
    assert [each.request_id for each in answers] == [each.request_id for each in sent]
    assert await contents(world) == [each.content for each in sent]
    rows = await world.fetch("SELECT message_id::text AS id FROM messages ORDER BY sequence")
    assert [row["id"] for row in rows] == [each.message_id for each in answers]
    assert await world.count("search_items") == 250
    assert await world.count("pgqueuer WHERE entrypoint = 'extract'") == 1


async def test_what_has_arrived_shares_a_transaction(world: World) -> None:
    answers = await all_of(world, [said(f"message {n}") for n in range(300)])
    moments = [each.created_at.ToNanoseconds() for each in answers]
    assert len(set(moments)) < 100, "each message had a transaction of its own"
    assert moments == sorted(moments)


async def test_an_answer_comes_while_the_stream_is_open(world: World) -> None:
    first_answered = asyncio.Event()

    async def slowly() -> AsyncIterator[pb.IngestStreamRequest]:
        yield said("first")
        await first_answered.wait()
        yield said("second")

    sequences = []
    async for answer in stream(world, slowly()):
        assert len(await contents(world)) == answer.sequence  # committed before it is told
        sequences.append(answer.sequence)
        first_answered.set()
    assert sequences == [1, 2]


async def test_an_empty_stream_has_no_answers(world: World) -> None:
    assert await all_of(world, []) == []


async def test_messages_without_a_session_share_a_new_one(world: World) -> None:
    answers = await all_of(world, [said(f"m{n}", session_id="") for n in range(5)])
    (session_id,) = {each.session_id for each in answers}
    assert await contents(world, session_id) == [f"m{n}" for n in range(5)]
    (another,) = await all_of(world, [said("m5", session_id="")])
    assert another.session_id != session_id


async def test_a_tenant_streams_for_several_users(world: World) -> None:
    sent = [said(f"message {n}", user_id=("alice", "bob")[n // 2 % 2]) for n in range(8)]
    answers = await all_of(world, sent)
    assert [each.sequence for each in answers] == [1, 2, 1, 2, 3, 4, 3, 4]


async def test_what_was_stored_before_is_acknowledged_again(world: World) -> None:
    sent = [said(f"message {n}", request_id=str(uuid4())) for n in range(6)]
    first = await all_of(world, sent[:4])
    again = await all_of(world, [sent[2], *sent[1:], sent[0]])
    assert [each.sequence for each in again] == [3, 2, 3, 4, 5, 6, 1]
    assert [again[0], again[1], again[2], again[3]] == [first[2], first[1], first[2], first[3]]
    assert len(await contents(world)) == 6
    await world.call(
        world.conversations.CloseSession,
        conversation_pb.CloseSessionRequest(user_id=USER, session_id="s"),
    )
    assert await all_of(world, sent[:4]) == first


async def test_a_wrong_message_ends_the_stream_behind_those_before_it(world: World) -> None:
    sent = [said(f"message {n}") for n in range(150)]
    answers, info = await broken(world, [*sent, said("", speaker="x"), said("behind it")])
    assert (info.reason, info.metadata["index"]) == ("FIELD_REQUIRED", "150")
    assert info.metadata["field"] == "content"
    assert [each.sequence for each in answers] == list(range(1, 151))
    assert await contents(world) == [each.content for each in sent]


async def test_a_message_that_cannot_be_stored_spoils_none_before_it(world: World) -> None:
    await world.say("hello", "closed")
    await world.call(
        world.conversations.CloseSession,
        conversation_pb.CloseSessionRequest(user_id=USER, session_id="closed"),
    )
    reused = said("before", request_id=str(uuid4()))
    await all_of(world, [reused])
    for wrong, reason in (
        (said("too late", session_id="closed"), "SESSION_CLOSED"),
        (said("another body", request_id=reused.request_id), "REQUEST_ID_REUSED"),
    ):
        before = await contents(world)
        answers, info = await broken(world, [said("a"), said("b"), wrong, said("behind it")])
        assert (info.reason, info.metadata["index"]) == (reason, "2")
        assert len(answers) == 2
        assert await contents(world) == [*before, "a", "b"]


async def test_a_user_whom_the_key_is_not_for_ends_the_stream(world: World) -> None:
    async with world.database.transaction(Scope(admin=True)) as connection:
        wanted = accounts.NewKey("user", world.tenant_id, USER, "alice's own")
        _, world.key = await accounts.create_key(connection, wanted)
    answers, info = await broken(world, [said("a"), said("b", user_id="bob"), said("c")])
    assert (info.reason, info.metadata["index"]) == ("USER_NOT_ALLOWED", "1")
    assert len(answers) == 1
    assert await contents(world) == ["a"]


async def test_a_client_that_goes_leaves_whole_messages(world: World) -> None:
    """Each has its place, its index entry and its answer, or nothing of it is there."""
    sent = [said(f"message {n}", request_id=str(uuid4())) for n in range(400)]
    call = stream(world, iter(sent))
    heard = []
    async for answer in call:
        heard.append(answer)
        if len(heard) == 20:
            call.cancel()
            break

    async def quiet() -> bool:
        before = await world.count("messages")
        await asyncio.sleep(0.3)
        return before == await world.count("messages")

    await until(quiet)
    (stored,) = await world.fetch(  # at one moment: it may go on yet
        "SELECT (SELECT array_agg(content ORDER BY sequence) FROM messages) AS contents,"
        " (SELECT count(*) FROM search_items) AS indexed,"
        " (SELECT count(*) FROM write_requests WHERE response IS NOT NULL) AS answered"
    )
    whole = len(stored["contents"])
    assert whole >= 20
    assert stored["contents"] == [each.content for each in sent[:whole]]
    assert (stored["indexed"], stored["answered"]) == (whole, whole)
    again = await all_of(world, sent)
    assert again[:20] == heard
    assert await contents(world) == [each.content for each in sent]


async def test_a_stream_is_read_one_group_ahead_at_most() -> None:
    given = 0

    async def endless() -> AsyncIterator[pb.IngestStreamRequest]:
        nonlocal given
        while True:
            given += 1
            yield said("x")

    async with Arrivals(endless()) as arrivals:
        groups = arrivals.groups()
        taken = 0
        for _ in range(3):
            taken += len((await anext(groups)).requests)
            for _ in range(3 * MOST_MESSAGES):
                await asyncio.sleep(0)
            assert taken < given <= taken + MOST_MESSAGES + 1


async def test_a_group_has_no_more_octets_than_it_may() -> None:
    async def large() -> AsyncIterator[pb.IngestStreamRequest]:
        for _ in range(8):
            yield said("x" * (MOST_OCTETS // 3))

    async with Arrivals(large()) as arrivals:
        sizes = [
            sum(each.ByteSize() for each in group.requests) async for group in arrivals.groups()
        ]
    assert max(sizes) <= MOST_OCTETS
    assert sum(sizes) > 8 * (MOST_OCTETS // 3)


async def test_a_server_that_stops_ends_its_streams(test_database: TestDatabase) -> None:
    """Soon, and behind what has arrived: it does not wait for a client that is silent."""
    never = asyncio.Event()

    async def open_end() -> AsyncIterator[pb.IngestStreamRequest]:
        yield said("first")
        await never.wait()

    async with a_world(test_database) as world, AsyncExitStack() as stack:
        target = await build_ingest(world.settings, stack)
        address = await stack.enter_async_context(serving(target, world.settings))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        world.ingest = IngestServiceStub(channel)
        call = stream(world, open_end())
        assert (await call.read()).sequence == 1
        for drain in target.drain:
            await drain()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(call.read(), PATIENCE)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert await contents(world) == ["first"]
