"""MemoryService over a real channel: single memories, their revisions, and refusals."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1 import memory_service_pb2 as pb
from mnema.v1.types_pb2 import Emotion, Memory, MemoryType
from services.runtime.ids import owner_of
from services.runtime.scope import Scope
from services.storage.memory_accesses import count_accesses
from tests.conftest import TestDatabase
from tests.service.vector_world import DOWN, USER, World, refused, vector_world


async def add(world: World, content: str, request_id: str = "", **fields: Any) -> Memory:
    memory = Memory(content=content, **fields)
    request = pb.AddMemoryRequest(user_id=USER, memory=memory, request_id=request_id)
    response: pb.AddMemoryResponse = await world.memories.AddMemory(request)
    return response.memory


async def get(world: World, memory_id: str, as_of: Timestamp | None = None) -> Memory:
    request = pb.GetMemoryRequest(user_id=USER, memory_id=memory_id, as_of=as_of)
    response: pb.GetMemoryResponse = await world.memories.GetMemory(request)
    return response.memory


async def update(world: World, memory: Memory, *paths: str, request_id: str = "") -> Memory:
    given = Memory()
    given.CopyFrom(memory)
    given.user_id = USER
    mask = FieldMask(paths=paths)
    request = pb.UpdateMemoryRequest(memory=given, update_mask=mask, request_id=request_id)
    response: pb.UpdateMemoryResponse = await world.memories.UpdateMemory(request)
    return response.memory


async def listed(world: World, **fields: Any) -> pb.ListMemoriesResponse:
    request = pb.ListMemoriesRequest(user_id=USER, **fields)
    response: pb.ListMemoriesResponse = await world.memories.ListMemories(request)
    return response


async def contents(world: World, **fields: Any) -> list[str]:
    return [memory.content for memory in (await listed(world, **fields)).memories]


async def test_an_added_memory_is_whole_and_found_at_once(test_database: TestDatabase) -> None:
    at, metadata = Timestamp(), Struct()
    at.FromDatetime(datetime(2026, 5, 3, tzinfo=UTC))
    metadata.update({"channel": "phone", "rounds": 2})
    async with vector_world(test_database) as world:
        added = await add(
            world,
            "Had a nerve-racking interview at Google",
            memory_type=MemoryType.MEMORY_TYPE_EPISODIC,
            importance=8,
            confidence=0.9,
            emotion=Emotion(valence=0.3, arousal=0.7, label="nervous"),
            event_at=at,
            slot="job/interview",
            tags=["job", "google", "job"],
            metadata=metadata,
            revision=77,
            access_count=12,
        )
        assert await get(world, added.memory_id) == added
        by_meaning = await world.search("anxious about a new job")
        by_words = await world.search("interview")
    assert UUID(added.memory_id).version == 7
    assert (added.user_id, added.revision, added.access_count) == (USER, 1, 0)
    assert (added.memory_type, added.importance, added.confidence) == (
        MemoryType.MEMORY_TYPE_EPISODIC, 8, 0.9,
    )  # fmt: skip
    assert added.emotion == Emotion(valence=0.3, arousal=0.7, label="nervous")
    assert (added.event_at, added.metadata, added.slot) == (at, metadata, "job/interview")
    assert list(added.tags) == ["job", "google"]
    assert added.created_at == added.updated_at == added.last_refreshed_at
    assert not added.HasField("retracted_at")
    assert by_meaning.hits[0].memory == added
    assert by_meaning.hits[0].relevance.vector_similarity > 0.2
    assert by_words.hits[0].relevance.bm25_rank == 1


async def test_defaults_and_what_is_said_again(test_database: TestDatabase) -> None:
    async with vector_world(test_database, DOWN) as world:
        added = await add(world, "Plays the cello")
        again = await add(world, "Plays the cello", importance=9)
        assert added.memory_type == MemoryType.MEMORY_TYPE_GENERAL
        assert added.confidence == 1
        assert not added.HasField("importance")
        assert (again.memory_id, again.importance) == (added.memory_id, 9)
        assert again.last_refreshed_at.ToDatetime() > added.last_refreshed_at.ToDatetime()
        assert await contents(world) == ["Plays the cello"]


async def test_a_slot_is_replaced_and_its_history_kept(test_database: TestDatabase) -> None:
    async with vector_world(test_database, DOWN) as world:
        boston = await add(world, "Lives in Boston", slot="home")
        denver = await add(world, "Lives in Denver", slot="home")
        old = await get(world, boston.memory_id)
        assert (old.superseded_by, old.retracted_at) == (denver.memory_id, denver.created_at)
        assert await contents(world) == ["Lives in Denver"]
        assert await contents(world, as_of=boston.created_at) == ["Lives in Boston"]
        request = pb.ListMemoryRevisionsRequest(user_id=USER, memory_id=boston.memory_id)
        history = (await world.memories.ListMemoryRevisions(request)).revisions
        assert [memory.content for memory in history] == ["Lives in Boston", "Lives in Denver"]


async def test_an_update_changes_what_the_mask_names(test_database: TestDatabase) -> None:
    async with vector_world(test_database) as world:
        first = await add(world, "Works at Gogle", importance=3, tags=["job"], slot="work")
        given = Memory(memory_id=first.memory_id, content="Works at Google", importance=9)
        second = await update(world, given, "content", "tags")
        assert (second.content, second.importance, second.revision) == ("Works at Google", 3, 2)
        assert (list(second.tags), second.slot) == ([], "work")
        assert second.created_at == first.created_at
        assert second.updated_at.ToDatetime() > first.updated_at.ToDatetime()
        third = await update(world, Memory(memory_id=first.memory_id), "importance")
        assert not third.HasField("importance")
        assert third.confidence == 1
        hits = (await world.search("Gogle Google employer")).hits
        assert [hit.memory.revision for hit in hits] == [3]
        assert hits[0].relevance.HasField("vector_rank")
        assert (await get(world, first.memory_id, first.updated_at)).content == "Works at Gogle"
        request = pb.ListMemoryRevisionsRequest(
            user_id=USER, memory_id=first.memory_id, page_size=2
        )
        page = await world.memories.ListMemoryRevisions(request)
        request.page_token = page.next_page_token
        rest = await world.memories.ListMemoryRevisions(request)
    assert [memory.revision for memory in (*page.revisions, *rest.revisions)] == [1, 2, 3]
    assert rest.next_page_token == ""


async def test_an_update_without_a_model_waits_for_its_vector(test_database: TestDatabase) -> None:
    async with vector_world(test_database, DOWN) as world:
        first = await add(world, "tea")
        await update(world, Memory(memory_id=first.memory_id, content="coffee"), "content")
        assert [hit.memory.content for hit in (await world.search("coffee tea")).hits] == ["coffee"]
        async with world.database.transaction(Scope(queue=True)) as connection:
            jobs = await connection.fetch("SELECT entrypoint FROM pgqueuer")
    assert [row["entrypoint"] for row in jobs] == ["embed"]  # one for both


@pytest.mark.parametrize(
    ("memory", "paths", "reason"),
    [
        (Memory(content="x"), ["slot"], "FIELD_MASK_INVALID"),
        (Memory(content="x"), ["content", "superseded_by"], "FIELD_MASK_INVALID"),
        (Memory(content="x"), ["*"], "FIELD_MASK_INVALID"),
        (Memory(content="x"), ["emotion.label"], "FIELD_MASK_INVALID"),
        (Memory(content=" "), ["content"], "FIELD_REQUIRED"),
        (Memory(content="x"), ["memory_type"], "FIELD_REQUIRED"),
        (Memory(content="x"), [], "FIELD_REQUIRED"),
        (Memory(importance=0), ["importance"], "FIELD_OUT_OF_RANGE"),
        (Memory(importance=11), ["importance"], "FIELD_OUT_OF_RANGE"),
        (Memory(confidence=1.1), ["confidence"], "FIELD_OUT_OF_RANGE"),
        (Memory(emotion=Emotion(valence=-2)), ["emotion"], "FIELD_OUT_OF_RANGE"),
        (Memory(emotion=Emotion(arousal=-0.1)), ["emotion"], "FIELD_OUT_OF_RANGE"),
        (Memory(content="x" * 16_385), ["content"], "FIELD_TOO_LONG"),
        (Memory(tags=["x"] * 65), ["tags"], "TOO_MANY_ITEMS"),
        (Memory(memory_type=99), ["memory_type"], "ENUM_UNKNOWN"),  # type: ignore[arg-type]
    ],
)
async def test_wrong_updates(
    test_database: TestDatabase, memory: Memory, paths: list[str], reason: str
) -> None:
    async with vector_world(test_database, DOWN) as world:
        added = await add(world, "tea")
        memory.memory_id = added.memory_id
        code, given, _ = await refused(update(world, memory, *paths))
        assert (code, given) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
        assert await get(world, added.memory_id) == added


async def test_wrong_additions_and_unknown_memories(test_database: TestDatabase) -> None:
    nobody = str(uuid4())
    async with vector_world(test_database, DOWN) as world:
        for memory in (Memory(), Memory(content="  ")):
            request = pb.AddMemoryRequest(user_id=USER, memory=memory)
            assert (await refused(world.memories.AddMemory(request)))[1] == "FIELD_REQUIRED"
        revisions = pb.ListMemoryRevisionsRequest(user_id=USER, memory_id=nobody)
        for call in (
            get(world, nobody),
            update(world, Memory(memory_id=nobody, content="x"), "content"),
            world.memories.ListMemoryRevisions(revisions),
        ):
            code, reason, metadata = await refused(call)
            assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")
            assert metadata == {"resource_type": "memory", "resource_name": nobody}
        unnamed = pb.UpdateMemoryRequest(
            memory=Memory(content="x"), update_mask=FieldMask(paths=["content"])
        )
        assert (await refused(world.memories.UpdateMemory(unnamed)))[1] == "FIELD_REQUIRED"


async def test_deleting_twice_says_so_and_loses_nothing(test_database: TestDatabase) -> None:
    async with vector_world(test_database) as world:
        added = await add(world, "tea")
        request = pb.DeleteMemoryRequest(user_id=USER, memory_id=added.memory_id)
        assert (await world.memories.DeleteMemory(request)).deleted
        assert not (await world.memories.DeleteMemory(request)).deleted
        assert (await get(world, added.memory_id)).HasField("retracted_at")
        assert await contents(world) == []
        assert list((await world.search("tea")).hits) == []
        then = await world.search("tea", as_of=added.created_at)
        assert [hit.memory.content for hit in then.hits] == ["tea"]
        gone = update(world, Memory(memory_id=added.memory_id, content="x"), "content")
        assert (await refused(gone))[0] == grpc.StatusCode.NOT_FOUND


async def test_pages_hold_every_memory_once(test_database: TestDatabase) -> None:
    async with vector_world(test_database, DOWN) as world:
        for number in range(7):
            await add(world, f"fact {number}", memory_type=MemoryType.MEMORY_TYPE_FACT)
        await add(world, "a plan", memory_type=MemoryType.MEMORY_TYPE_TODO)
        facts: dict[str, Any] = {"memory_types": [MemoryType.MEMORY_TYPE_FACT], "page_size": 3}
        seen: list[str] = []
        token = ""
        for _ in range(3):
            page = await listed(world, page_token=token, **facts)
            seen += [memory.content for memory in page.memories]
            token = page.next_page_token
            await add(world, f"fact told meanwhile, after {len(seen)}")
        assert token == ""
        assert seen == [f"fact {number}" for number in reversed(range(7))]
        first = await listed(world, **facts)
        other_list = listed(world, page_token=first.next_page_token, page_size=3)
        assert (await refused(other_list))[1] == "PAGE_TOKEN_INVALID"


async def test_a_repeated_request_is_answered_once(test_database: TestDatabase) -> None:
    request_id = str(uuid4())
    async with vector_world(test_database, DOWN) as world:
        both = await asyncio.gather(add(world, "tea", request_id), add(world, "tea", request_id))
        assert both[0] == both[1]
        code, reason, _ = await refused(add(world, "coffee", request_id))
        assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
        change = Memory(memory_id=both[0].memory_id, content="green tea")
        again = str(uuid4())
        first = await update(world, change, "content", request_id=again)
        assert await update(world, change, "content", request_id=again) == first
        assert first.revision == 2


async def test_two_who_write_one_slot_at_once_leave_one_holder(test_database: TestDatabase) -> None:
    async with vector_world(test_database, DOWN) as world:
        added = await asyncio.gather(
            *(add(world, f"Lives in town {number}", slot="home") for number in range(8))
        )
        (present,) = (await listed(world)).memories
        everything = [await get(world, memory.memory_id) for memory in added]
    assert [memory for memory in everything if not memory.HasField("retracted_at")] == [present]
    assert {memory.superseded_by for memory in everything} > {present.memory_id, ""}


async def test_how_often_recall_returned_it_is_shown(test_database: TestDatabase) -> None:
    async with vector_world(test_database, DOWN) as world:
        added = await add(world, "tea")
        owner_id = owner_of(world.tenant_id, USER)
        moment = datetime(2026, 11, 1, tzinfo=UTC)
        async with world.database.transaction(Scope(world.tenant_id, owner_id)) as connection:
            await count_accesses(connection, owner_id, [UUID(added.memory_id)] * 2, moment)
        shown = await get(world, added.memory_id)
        (hit,) = (await world.search("tea")).hits
        assert (await get(world, added.memory_id)).access_count == 2  # searching counts nothing
    assert (shown.access_count, shown.last_accessed_at.ToDatetime(tzinfo=UTC)) == (2, moment)
    assert hit.memory == shown


async def test_another_tenant_reads_and_changes_nothing(test_database: TestDatabase) -> None:
    async with vector_world(test_database, DOWN) as world:
        added = await add(world, "a secret")
        async with world.another_tenant() as other:
            assert (await refused(get(other, added.memory_id)))[0] == grpc.StatusCode.NOT_FOUND
            assert await contents(other) == []
            deletion = pb.DeleteMemoryRequest(user_id=USER, memory_id=added.memory_id)
            assert not (await other.memories.DeleteMemory(deletion)).deleted
            theft = update(other, Memory(memory_id=added.memory_id, content="x"), "content")
            assert (await refused(theft))[0] == grpc.StatusCode.NOT_FOUND
        assert await contents(world) == ["a secret"]
