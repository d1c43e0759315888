"""VectorService over a real channel, with the real model."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import grpc
import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1 import memory_service_pb2 as memory_pb
from mnema.v1 import vector_service_pb2 as pb
from mnema.v1.types_pb2 import Memory, MemoryType
from services.runtime.ids import new_id, owner_of
from services.runtime.scope import Scope
from services.storage import foundation, messages, sessions
from services.storage.places import chunk_place, message_place, sequence_of, session_of
from services.storage.search_items import index_items
from tests.conftest import TEST_SPACE, TestDatabase
from tests.service.vector_world import DOWN, LOCAL_MODEL, USER, World, refused, vector_world
from tests.store.indexed import indexed

FACTS = (
    "Caroline works at Google as a software engineer",
    "Caroline is afraid of spiders",
    "The cat sleeps on the sofa all day",
    "Caroline moved from Boston to Denver in May",
)


async def add(world: World, content: str, **fields: object) -> Memory:
    memory = Memory(content=content, **fields)  # type: ignore[arg-type]
    request = memory_pb.AddMemoryRequest(user_id=USER, memory=memory)
    response: memory_pb.AddMemoryResponse = await world.memories.AddMemory(request)
    return response.memory


async def test_embeddings_are_of_unit_length_and_in_order(test_database: TestDatabase) -> None:
    async with vector_world(test_database) as world:
        texts = ["a cat", "a kitten", "the stock exchange"]
        response = await world.vector.Embed(pb.EmbedRequest(texts=texts))
        again = await world.vector.Embed(pb.EmbedRequest(texts=texts[1:2]))
    vectors = np.array([embedding.values for embedding in response.embeddings])
    assert (response.model, response.dimension) == (LOCAL_MODEL, TEST_SPACE.dims)
    assert vectors.shape == (3, TEST_SPACE.dims)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3
    assert np.array(again.embeddings[0].values) @ vectors[1] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ([], "FIELD_REQUIRED"),
        (["fine", ""], "FIELD_REQUIRED"),
        (["x" * 32_769], "FIELD_TOO_LONG"),
        (["x"] * 257, "TOO_MANY_ITEMS"),
    ],
)
async def test_what_embed_does_not_take(
    test_database: TestDatabase, texts: list[str], reason: str
) -> None:
    async with vector_world(test_database, DOWN) as world:
        code, given, _ = await refused(world.vector.Embed(pb.EmbedRequest(texts=texts)))
    assert (code, given) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_embed_says_that_the_model_is_down(test_database: TestDatabase) -> None:
    async with vector_world(test_database, DOWN) as world:
        code, reason, metadata = await refused(world.vector.Embed(pb.EmbedRequest(texts=["tea"])))
    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE")
    assert metadata["provider"] == LOCAL_MODEL


async def test_search_finds_by_words_and_by_meaning(test_database: TestDatabase) -> None:
    async with vector_world(test_database) as world:
        for content in FACTS:
            await add(world, content)
        job = await world.search("What is her profession? Google", limit=2)
        fear = await world.search("arachnophobia")
    best = job.hits[0]
    assert best.memory.content == FACTS[0]
    assert (best.relevance.vector_rank, best.relevance.bm25_rank) == (1, 1)
    assert best.relevance.rrf == pytest.approx(1)
    assert not job.degraded
    assert len(job.hits) == 2
    assert fear.hits[0].memory.content == FACTS[1]
    assert not fear.hits[0].relevance.HasField("bm25")
    assert not fear.hits[0].relevance.HasField("bm25_rank")
    assert fear.hits[0].relevance.vector_similarity > 0.3


async def test_without_a_model_words_alone_are_searched(test_database: TestDatabase) -> None:
    async with vector_world(test_database, DOWN) as world:
        for content in FACTS:
            await add(world, content)
        answer = await world.search("Denver spiders")
        async with world.database.transaction(Scope(queue=True)) as connection:
            waiting = await connection.fetchval("SELECT count(*) FROM pgqueuer")
    assert answer.degraded
    assert "words alone" in answer.degraded_reason
    assert {hit.memory.content for hit in answer.hits} == {FACTS[1], FACTS[3]}
    assert all(not hit.relevance.HasField("vector_rank") for hit in answer.hits)
    assert waiting == 1  # one job will give all of them their vectors


async def test_a_given_embedding_is_used(test_database: TestDatabase) -> None:
    async with vector_world(test_database) as world:
        for content in FACTS:
            await add(world, content)
        embedded = await world.vector.Embed(pb.EmbedRequest(texts=[FACTS[2]]))
        values = [3 * value for value in embedded.embeddings[0].values]
        answer = await world.search("nothing of it", query_embedding=values)
        assert answer.hits[0].memory.content == FACTS[2]
        assert answer.hits[0].relevance.vector_similarity == pytest.approx(1, abs=2e-3)
        wrong = await refused(world.search("tea", query_embedding=[1.0, 2.0]))
        other = await refused(world.search("tea", query_embedding_model="another"))
        model = embedded.model
        same = await world.search("tea", query_embedding=values, query_embedding_model=model)
        zero = await refused(world.search("tea", query_embedding=[0.0] * TEST_SPACE.dims))
    code, reason, metadata = wrong
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "DIMENSION_MISMATCH")
    expected = {"given": "2", "expected": str(TEST_SPACE.dims), "field": "query_embedding"}
    assert metadata == expected
    assert other[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert other[2]["field"] == "query_embedding_model"
    assert same.hits[0].memory.content == FACTS[2]
    assert zero[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_OUT_OF_RANGE")


async def test_search_filters(test_database: TestDatabase) -> None:
    may, june = Timestamp(), Timestamp()
    may.FromDatetime(datetime(2026, 5, 1, tzinfo=UTC))
    june.FromDatetime(datetime(2026, 6, 1, tzinfo=UTC))
    async with vector_world(test_database, DOWN) as world:
        await add(world, "tea in May", event_at=may, memory_type=MemoryType.MEMORY_TYPE_EPISODIC)
        first = await add(world, "tea in June", event_at=june)
        await add(world, "tea some day", memory_type=MemoryType.MEMORY_TYPE_TODO)

        async def found(**fields: object) -> set[str]:
            answer = await world.search("tea", **fields)
            return {hit.memory.content for hit in answer.hits}

        assert await found() == {"tea in May", "tea in June", "tea some day"}
        assert await found(event_after=may, event_before=june) == {"tea in May"}
        assert await found(event_after=june) == {"tea in June"}
        todo = [MemoryType.MEMORY_TYPE_TODO, MemoryType.MEMORY_TYPE_GENERAL]
        assert await found(memory_types=todo) == {"tea in June", "tea some day"}
        assert await found(created_after=first.created_at) == {"tea in June", "tea some day"}
        assert await found(created_before=first.created_at) == {"tea in May"}
        assert await found(as_of=first.created_at) == {"tea in May", "tea in June"}
        assert len((await world.search("tea", limit=2)).hits) == 2


async def test_messages_and_chunks_are_found_too(test_database: TestDatabase) -> None:
    async with vector_world(test_database, DOWN) as world:
        await add(world, "zebra as a memory")
        await _store_message(world, "zebra as a message")
        await _store_chunk(world, "zebra as a chunk", "notes.md", "md", "work")
        await _store_chunk(world, "zebra in print", "book.pdf", "pdf", "books")
        every = [pb.ITEM_KIND_MEMORY, pb.ITEM_KIND_MESSAGE, pb.ITEM_KIND_CHUNK]
        assert len((await world.search("zebra")).hits) == 1
        answer = await world.search("zebra", kinds=every)
        kinds = {hit.WhichOneof("item") for hit in answer.hits}
        assert (len(answer.hits), kinds) == (4, {"memory", "message", "chunk"})
        (message,) = (await world.search("zebra", kinds=[pb.ITEM_KIND_MESSAGE])).hits
        assert (message.message.content, message.message.user_id) == ("zebra as a message", USER)
        for fields in ({"file_types": ["pdf"]}, {"category": "books"}):
            (hit,) = (await world.search("zebra", kinds=[pb.ITEM_KIND_CHUNK], **fields)).hits
            assert (hit.chunk.filename, hit.chunk.content) == ("book.pdf", "zebra in print")
        # A filter of files says nothing of memories.
        assert len((await world.search("zebra", kinds=every, category="books")).hits) == 3


async def test_another_tenants_user_of_that_name_finds_nothing(test_database: TestDatabase) -> None:
    async with vector_world(test_database) as world:
        await add(world, FACTS[0])
        async with world.another_tenant() as other:
            assert list((await other.search("Google engineer")).hits) == []


async def test_it_does_not_start_on_another_models_vectors(test_database: TestDatabase) -> None:
    other = DOWN.model_copy(update={"model": "another-model"})
    with pytest.raises(Exception, match="run `mnema migrate`"):
        async with vector_world(test_database, other):
            pass


def _owner(world: World) -> tuple[Scope, UUID]:
    owner_id = owner_of(world.tenant_id, USER)
    return Scope(world.tenant_id, owner_id), owner_id


async def _store_message(world: World, content: str) -> None:
    scope, _ = _owner(world)
    assert scope.owner_id is not None
    new = messages.NewMessage(new_id(), "s1", 1, "user", content)
    async with world.database.transaction(scope) as connection:
        await foundation.register_user(connection, scope.owner_id, world.tenant_id, USER)
        await sessions.reserve_sequences(connection, scope.owner_id, {"s1": 1})
        await messages.insert_messages(connection, scope.owner_id, [new], "pending")
        item = indexed(new.message_id, "message", content, place=message_place(1, 1, 0))
        await index_items(connection, scope.owner_id, [item])


async def _store_chunk(
    world: World, content: str, filename: str, file_type: str, category: str
) -> None:
    scope, owner_id = _owner(world)
    assert scope.owner_id is not None
    file_id, chunk_id = new_id(), new_id()
    item = indexed(chunk_id, "chunk", content)
    item = replace(item, place=chunk_place(sequence_of(item.place), 0))  # a file of its own
    async with world.database.transaction(scope) as connection:
        await connection.execute(
            "INSERT INTO documents (owner_id, file_id, filename, file_type, mime_type, size_bytes,"
            " sha256, category, source_type, number)"
            " VALUES ($1, $2, $3, $4, 'text/plain', 9, '', $5, 'text', $6)",
            owner_id, file_id, filename, file_type, category, session_of(item.place),
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO chunks (owner_id, chunk_id, file_id, position, content, start_offset,"
            " end_offset) VALUES ($1, $2, $3, 0, $4, 0, $5)",
            owner_id, chunk_id, file_id, content, len(content),
        )  # fmt: skip
        await index_items(connection, scope.owner_id, [item])
