"""ConversationService over a real channel: sessions, their messages, and pages of both."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from mnema.v1 import conversation_service_pb2 as pb
from mnema.v1 import ingest_service_pb2 as ingest_pb
from mnema.v1.types_pb2 import ExtractionState
from services.runtime.errors import Unavailable
from tests.conftest import TestDatabase
from tests.service.ingest_world import USER, ScriptedExtractor, World, a_world, reason_of

PENDING = ExtractionState.EXTRACTION_STATE_PENDING
NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with a_world(test_database, max_attempts=1) as made:
        yield made


async def create(world: World, session_id: str = "", **fields: object) -> pb.Session:
    request = pb.CreateSessionRequest(user_id=USER, session_id=session_id, **fields)  # type: ignore[arg-type]
    session: pb.Session = (await world.call(world.conversations.CreateSession, request)).session
    return session


async def get(world: World, session_id: str, user_id: str = USER) -> pb.Session:
    request = pb.GetSessionRequest(user_id=user_id, session_id=session_id)
    session: pb.Session = (await world.call(world.conversations.GetSession, request)).session
    return session


async def test_a_session_is_opened_ahead_of_its_messages(world: World) -> None:
    metadata = Struct()
    metadata.update({"topic": "travel", "depth": 2})
    opened = await create(world, "trip", metadata=metadata)
    assert (opened.session_id, opened.user_id, opened.message_count) == ("trip", USER, 0)
    assert opened.metadata == metadata
    assert not opened.HasField("last_message_at")
    assert not opened.HasField("closed_at")
    assert await get(world, "trip") == opened
    await world.say("hello", "trip")
    used = await get(world, "trip")
    assert (used.message_count, used.metadata) == (1, metadata)
    assert used.HasField("last_message_at")
    assert UUID((await create(world)).session_id).version == 7


async def test_a_session_exists_once(world: World) -> None:
    await create(world, "trip")
    failed = await reason_of(create(world, "trip"))
    assert failed == (grpc.StatusCode.ALREADY_EXISTS, "RESOURCE_EXISTS")
    request_id = str(uuid4())
    first = await create(world, "other", request_id=request_id)
    assert await create(world, "other", request_id=request_id) == first


async def test_what_is_not_there_or_not_ones_own_is_not_found(world: World) -> None:
    message = await world.say("mine", "s")
    assert await reason_of(get(world, "none")) == NOT_FOUND
    assert await reason_of(get(world, "s", "bob")) == NOT_FOUND
    for user_id, message_id in ((USER, str(uuid4())), ("bob", message.message_id)):
        request = pb.GetMessageRequest(user_id=user_id, message_id=message_id)
        assert await reason_of(world.call(world.conversations.GetMessage, request)) == NOT_FOUND
    close = pb.CloseSessionRequest(user_id=USER, session_id="none")
    assert await reason_of(world.call(world.conversations.CloseSession, close)) == NOT_FOUND


async def test_a_closed_session_takes_no_more_messages(world: World) -> None:
    await world.say("last words", "s")
    request = pb.CloseSessionRequest(user_id=USER, session_id="s")
    closed = (await world.call(world.conversations.CloseSession, request)).session
    assert closed.HasField("closed_at")
    again = (await world.call(world.conversations.CloseSession, request)).session
    assert again == closed
    failed = await reason_of(world.say("one more", "s"))
    assert failed == (grpc.StatusCode.FAILED_PRECONDITION, "SESSION_CLOSED")
    assert (await get(world, "s")).message_count == 1


async def test_closing_and_saying_at_once_leaves_no_message_behind(world: World) -> None:
    await create(world, "s")
    request = pb.CloseSessionRequest(user_id=USER, session_id="s")
    says = [world.say(f"message {n}", "s") for n in range(6)]
    outcomes = await asyncio.gather(
        *says[:3], world.call(world.conversations.CloseSession, request), *says[3:],
        return_exceptions=True,
    )  # fmt: skip
    stored = [each for each in outcomes if hasattr(each, "message_id")]
    assert (await get(world, "s")).message_count == len(stored)
    async with world.working(ScriptedExtractor()):
        status = await world.settled()
    assert status == ingest_pb.GetIngestStatusResponse()


async def test_sessions_are_listed_by_their_newest_messages(world: World) -> None:
    for name in ("a", "b", "c", "d"):
        await create(world, name)
    for name in ("b", "a"):
        await world.say("hello", name)
    listed: list[str] = []
    request = pb.ListSessionsRequest(user_id=USER, page_size=3)
    while True:
        page = await world.call(world.conversations.ListSessions, request)
        listed += [session.session_id for session in page.sessions]
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert listed == ["a", "b", "d", "c"]


@pytest.mark.parametrize("session_id", ["", "s1"])
async def test_paging_visits_each_message_once_while_more_come(
    world: World, session_id: str
) -> None:
    contents = [f"message {n}" for n in range(25)]
    for content in contents:
        await world.say(content, "s1")
    request = pb.ListMessagesRequest(user_id=USER, session_id=session_id, page_size=10)
    seen: list[str] = []
    while True:
        page = await world.call(world.conversations.ListMessages, request)
        seen += [message.content for message in page.messages]
        if not page.next_page_token:
            break
        await world.say(f"later {len(seen)}", "s1")
        request.page_token = page.next_page_token
    assert seen[:25] == contents
    assert len(seen) == len(set(seen)) == 27


async def test_a_page_token_belongs_to_its_list(world: World) -> None:
    for n in range(3):
        await world.say(f"message {n}", "s1")
    request = pb.ListMessagesRequest(user_id=USER, page_size=1)
    page = await world.call(world.conversations.ListMessages, request)
    request.page_token = page.next_page_token
    request.session_id = "s1"
    failed = await reason_of(world.call(world.conversations.ListMessages, request))
    assert failed == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


async def test_messages_are_filtered_by_how_far_extraction_is(world: World) -> None:
    failing = ScriptedExtractor(failures=[Unavailable("no")])
    await world.say("fails", "s1")
    async with world.working(failing):
        await world.settled()
    await world.say("waits", "s1")
    for state, contents in ((PENDING, ["waits"]), (4, ["fails"]), (3, []), (0, ["fails", "waits"])):
        for session_id in ("", "s1"):
            request = pb.ListMessagesRequest(
                user_id=USER,
                session_id=session_id,
                extraction_state=state,  # type: ignore[arg-type]
            )
            page = await world.call(world.conversations.ListMessages, request)
            assert [message.content for message in page.messages] == contents


async def test_extractions_are_listed_newest_first_by_pages_and_filters(world: World) -> None:
    async with world.working(ScriptedExtractor(failures=[Unavailable("no")])):
        for name in ("s1", "s2", "s1"):
            await world.say("hello", name)
            await world.settled()
    request = ingest_pb.ListExtractionsRequest(user_id=USER, page_size=2)
    first = await world.call(world.ingest.ListExtractions, request)
    request.page_token = first.next_page_token
    second = await world.call(world.ingest.ListExtractions, request)
    assert second.next_page_token == ""
    everything = [*first.extractions, *second.extractions]
    assert [each.session_id for each in everything] == ["s1", "s2", "s1"]
    assert [each.state for each in everything] == [3, 3, 4]
    request = ingest_pb.ListExtractionsRequest(user_id=USER, session_id="s1", state=4)  # type: ignore[arg-type]
    only = await world.call(world.ingest.ListExtractions, request)
    assert list(only.extractions) == [everything[2]]


@pytest.mark.parametrize("session_id", ["long", ""])
async def test_a_page_of_very_long_messages_ends_sooner(world: World, session_id: str) -> None:
    content = "é" * 400_000
    said = [ingest_pb.NewMessage(role="user", content=content)] * 5
    batch = ingest_pb.IngestBatchRequest(user_id=USER, session_id="long", messages=said)
    await world.call(world.ingest.IngestBatch, batch)
    pages: list[list[int]] = []
    token = ""
    while not pages or token:
        request = pb.ListMessagesRequest(
            user_id=USER, session_id=session_id, page_size=1000, page_token=token
        )
        page = await world.call(world.conversations.ListMessages, request)
        pages.append([message.sequence for message in page.messages])
        assert all(message.content == content for message in page.messages)
        token = page.next_page_token
    assert pages == [[1, 2], [3, 4], [5]]
