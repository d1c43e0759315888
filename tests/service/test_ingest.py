"""IngestService over a real channel: stored, found by words and queued, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1 import conversation_service_pb2 as conversation_pb
from mnema.v1 import ingest_service_pb2 as pb
from mnema.v1.types_pb2 import ExtractionState
from services.text.terms import analyze
from tests.conftest import TestDatabase
from tests.service.ingest_world import USER, World, a_world, reason_of


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with a_world(test_database) as made:
        yield made


def batch(*contents: str, **fields: object) -> pb.IngestBatchRequest:
    messages = [pb.NewMessage(role="user", content=content) for content in contents]
    return pb.IngestBatchRequest(user_id=USER, messages=messages, **fields)  # type: ignore[arg-type]


async def test_a_message_comes_back_as_it_was_stored(world: World) -> None:
    metadata = Struct()
    metadata.update({"channel": "chat", "turn": 3, "tags": ["a", None, True]})
    said_at = Timestamp(seconds=1_600_000_000, nanos=123_456_000)
    before = datetime.now(UTC)
    message = await world.say(
        "I live in Zürich 🏔", speaker="Alice", metadata=metadata, said_at=said_at
    )
    assert (message.user_id, message.session_id, message.sequence) == (USER, "s", 1)
    assert (message.role, message.speaker, message.content) == (
        "user",
        "Alice",
        "I live in Zürich 🏔",
    )
    assert message.metadata == metadata
    assert message.said_at == said_at
    assert before <= message.created_at.ToDatetime(UTC) <= datetime.now(UTC)
    assert message.extraction_state == ExtractionState.EXTRACTION_STATE_PENDING
    got = await world.call(
        world.conversations.GetMessage,
        conversation_pb.GetMessageRequest(user_id=USER, message_id=message.message_id),
    )
    assert got.message == message


async def test_a_message_is_found_by_its_words_and_queued_at_once(world: World) -> None:
    message = await world.say("The quick brown foxes jumped")
    (term,) = analyze("fox").frequencies
    postings = await world.fetch(
        "SELECT item_id, frequency FROM postings JOIN search_items USING (owner_id, place)"
        " WHERE term = $1",
        term,
    )
    assert [(row["item_id"], row["frequency"]) for row in postings] == [
        (UUID(message.message_id), 1)
    ]
    (item,) = await world.fetch("SELECT * FROM search_items")
    assert (item["kind"], item["speaker"], item["end_offset"]) == ("message", "", 28)
    assert item["event_at"] == message.said_at.ToDatetime(UTC)
    assert await world.count("pgqueuer WHERE entrypoint = 'extract'") == 1
    status = await world.status()
    assert (status.pending_messages, status.pending_embeddings) == (1, 1)


async def test_a_burst_makes_one_job_a_session_and_one_for_all_vectors(world: World) -> None:
    await asyncio.gather(*(world.say(f"message {n}", f"s{n % 2}") for n in range(10)))
    assert await world.count("pgqueuer WHERE entrypoint = 'extract'") == 2
    assert await world.count("pgqueuer WHERE entrypoint = 'embed'") == 1
    rows = await world.fetch("SELECT session_id, sequence FROM messages ORDER BY 1, 2")
    assert [tuple(row) for row in rows] == [(s, n) for s in ("s0", "s1") for n in range(1, 6)]


async def test_without_a_session_a_new_one_is_made(world: World) -> None:
    first, second = await world.say("one", ""), await world.say("two", "")
    assert UUID(first.session_id).version == 7
    assert first.session_id != second.session_id
    answer = await world.call(world.ingest.IngestBatch, batch("three", "four"))
    assert len({receipt.session_id for receipt in answer.receipts}) == 1
    assert [receipt.sequence for receipt in answer.receipts] == [1, 2]


async def test_a_repeated_call_gives_the_same_answer(world: World) -> None:
    request = pb.IngestRequest(user_id=USER, role="user", content="once", request_id=str(uuid4()))
    answers = await asyncio.gather(*(world.call(world.ingest.Ingest, request) for _ in range(8)))
    assert {answer.message.message_id for answer in answers} == {answers[0].message.message_id}
    assert await world.count("messages") == 1
    assert await world.count("pgqueuer WHERE entrypoint = 'extract'") == 1
    request.content = "twice"
    failed = await reason_of(world.call(world.ingest.Ingest, request))
    assert failed == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert await world.count("messages") == 1


async def test_a_repeated_batch_gives_the_same_answer(world: World) -> None:
    request = batch("a", "b", "c", request_id=str(uuid4()))
    first = await world.call(world.ingest.IngestBatch, request)
    assert await world.call(world.ingest.IngestBatch, request) == first
    assert await world.count("messages") == 3


async def test_a_batch_with_one_bad_message_stores_nothing(world: World) -> None:
    request = batch("good", " ", "good too")
    failed = await reason_of(world.call(world.ingest.IngestBatch, request))
    assert failed[0] == grpc.StatusCode.INVALID_ARGUMENT
    await close(world, "shut", "before")
    request = batch("good", "late", session_id="open")
    request.messages[1].session_id = "shut"
    failed = await reason_of(world.call(world.ingest.IngestBatch, request))
    assert failed == (grpc.StatusCode.FAILED_PRECONDITION, "SESSION_CLOSED")
    contents = await world.fetch("SELECT content FROM messages")
    assert [row["content"] for row in contents] == ["before"]
    sessions = await world.fetch("SELECT session_id, message_count FROM sessions")
    assert [tuple(row) for row in sessions] == [("shut", 1)]
    assert await world.count("search_items") == 1


async def close(world: World, session_id: str, content: str) -> None:
    await world.say(content, session_id)
    request = conversation_pb.CloseSessionRequest(user_id=USER, session_id=session_id)
    await world.call(world.conversations.CloseSession, request)


async def test_a_batch_keeps_its_order_over_several_sessions(world: World) -> None:
    request = batch(*(f"message {n}" for n in range(30)), session_id="a")
    for message in request.messages[::3]:
        message.session_id = "b"
    answer = await world.call(world.ingest.IngestBatch, request)
    assert [receipt.session_id for receipt in answer.receipts] == ["b", "a", "a"] * 10
    listed = await world.call(
        world.conversations.ListMessages, conversation_pb.ListMessagesRequest(user_id=USER)
    )
    assert [message.content for message in listed.messages] == [f"message {n}" for n in range(30)]
    assert [m.sequence for m in listed.messages if m.session_id == "b"] == list(range(1, 11))


async def test_batches_over_the_same_sessions_do_not_deadlock(world: World) -> None:
    async def crossing(names: list[str]) -> None:
        request = batch(*names)
        for message, name in zip(request.messages, names, strict=True):
            message.session_id = name
        await world.call(world.ingest.IngestBatch, request)

    names = [f"s{n}" for n in range(8)]
    await asyncio.gather(*(crossing(names if n % 2 else names[::-1]) for n in range(12)))
    counts = await world.fetch("SELECT message_count FROM sessions")
    assert [row["message_count"] for row in counts] == [12] * 8


async def test_a_large_batch_is_indexed_off_the_event_loop(world: World) -> None:
    text = " ".join(f"word{n}" for n in range(400))
    answer = await world.call(world.ingest.IngestBatch, batch(*[text] * 1000))
    assert len(answer.receipts) == 1000
    found = await world.fetch(
        "SELECT DISTINCT item_id, term FROM postings JOIN search_items USING (owner_id, place)"
    )
    assert len(found) == 400_000
    assert await world.count("search_items") > 2000  # passages


async def test_another_users_messages_are_not_counted(world: World) -> None:
    await world.say("mine")
    request = pb.GetIngestStatusRequest(user_id="bob")
    status = await world.call(world.ingest.GetIngestStatus, request)
    assert status == pb.GetIngestStatusResponse()


async def test_with_extraction_off_messages_are_only_embedded(test_database: TestDatabase) -> None:
    async with a_world(test_database, enabled=False) as world:
        message = await world.say("kept as it is")
        assert message.extraction_state == ExtractionState.EXTRACTION_STATE_SKIPPED
        assert (await world.status()).pending_embeddings == 1
        async with world.working(None):
            await world.settled()
        assert world.vectors.texts == ["kept as it is"]
        assert await world.extractions() == []
