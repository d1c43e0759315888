"""Ingest calls of one user at the same time: committed together, answered each for itself."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc
import pytest

from mnema.v1 import conversation_service_pb2 as conversation_pb
from mnema.v1 import ingest_service_pb2 as pb
from services.runtime.ids import owner_of
from services.runtime.scope import Scope
from services.storage import sessions
from tests.conftest import TestDatabase
from tests.service.ingest_world import USER, World, a_world, reason_of


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with a_world(test_database) as made:
        yield made


async def close(world: World, session_id: str) -> None:
    request = conversation_pb.CloseSessionRequest(user_id=USER, session_id=session_id)
    await world.call(world.conversations.CloseSession, request)


async def test_calls_at_once_share_transactions(world: World) -> None:
    await world.say("the first")
    said = await asyncio.gather(*(world.say(f"message {n}") for n in range(60)))
    assert sorted(each.sequence for each in said) == list(range(2, 62))
    rows = await world.fetch("SELECT content, message_id::text AS id FROM messages")
    stored = {row["content"]: row["id"] for row in rows}
    assert [stored[f"message {n}"] for n in range(60)] == [each.message_id for each in said]
    assert len({each.created_at.ToNanoseconds() for each in said}) < 30
    assert await world.count("search_items") == 61


async def test_what_is_wrong_with_one_is_told_to_that_one_alone(world: World) -> None:
    await world.say("hello", "closed")
    await close(world, "closed")
    reused = str(uuid4())
    await world.say("first", "s", request_id=reused)
    calls: list[Any] = [world.say(f"message {n}", f"s{n % 3}") for n in range(20)]
    calls.insert(7, world.say("late", "closed"))
    calls.insert(14, world.say("another body", "s", request_id=reused))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    late, other = answers.pop(7), answers.pop(13)
    assert isinstance(late, grpc.aio.AioRpcError)
    assert late.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert isinstance(other, grpc.aio.AioRpcError)
    assert other.code() == grpc.StatusCode.ALREADY_EXISTS
    assert [each.content for each in answers] == [f"message {n}" for n in range(20)]  # type: ignore[union-attr]
    assert await world.count("messages") == 22


async def test_one_request_id_at_once_is_one_message(world: World) -> None:
    request_id = str(uuid4())
    said = await asyncio.gather(*(world.say("once", request_id=request_id) for _ in range(12)))
    assert len({each.message_id for each in said}) == 1
    assert await world.count("messages") == 1
    code, reason = await reason_of(world.say("once", request_id=request_id.upper()))
    assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_a_caller_that_gave_up_keeps_nobody_waiting(world: World) -> None:
    """Its session is locked by another transaction, and so is its turn; then it goes on."""
    await world.say("first")
    owner_id = owner_of(world.tenant_id, USER)
    async with world.database.transaction(Scope(world.tenant_id, owner_id)) as connection:
        await sessions.lock_session(connection, owner_id, "s")
        request = pb.IngestRequest(user_id=USER, role="user", content="impatient", session_id="s")
        call = world.ingest.Ingest(request, metadata=[("x-api-key", world.key)], timeout=0.5)
        patient = asyncio.create_task(world.say("patient", "another session"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert (await patient).content == "patient"  # the statement ended with its time
    assert (await world.say("afterwards")).sequence == 2
    assert await world.count("messages") == 3
