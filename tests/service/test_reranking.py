"""Search with a reranking model behind HTTP."""

import pytest

from mnema.v1 import memory_service_pb2 as memory_pb
from mnema.v1.types_pb2 import Memory
from services.providers.rerank.settings import RerankSettings
from tests.conftest import TestDatabase
from tests.patience import PATIENCE
from tests.rerank_server import Odd, RerankServer
from tests.service.vector_world import DOWN, USER, World, vector_world

# By the profile the short one is best; the test's server counts how often a word stands there.
CONTENTS = ("tea", "tea and scones", "tea after tea after tea")


async def fill(world: World) -> None:
    for content in CONTENTS:
        memory = Memory(content=content)
        await world.memories.AddMemory(memory_pb.AddMemoryRequest(user_id=USER, memory=memory))


async def test_the_model_decides_and_scores_change_hands(test_database: TestDatabase) -> None:
    with RerankServer() as server:
        settings = RerankSettings(base_url=server.base_url, model="m", timeout_seconds=PATIENCE)
        async with vector_world(test_database, DOWN, settings) as world:
            await fill(world)
            plain = await world.search("tea")
            assert server.requests == []
            answer = await world.search("tea", rerank=True)
            best = await world.search("tea", rerank=True, limit=1)
    given = [hit.relevance.score for hit in plain.hits]
    assert [hit.relevance.score for hit in answer.hits] == given
    assert [hit.relevance.rerank_score for hit in answer.hits] == [3, 1, 1]
    assert answer.hits[0].memory.content == CONTENTS[2]
    assert {hit.memory.content for hit in answer.hits} == set(CONTENTS)
    assert not any(hit.relevance.HasField("rerank_score") for hit in plain.hits)
    # All are judged, however few are asked for.
    assert [hit.memory.content for hit in best.hits] == [CONTENTS[2]]
    assert set(server.requests[1].body["documents"]) == set(CONTENTS)
    assert answer.degraded_parts == ["embedding"]  # the embedding model of this test is down


async def test_only_the_best_are_judged(test_database: TestDatabase) -> None:
    with RerankServer() as server:
        settings = RerankSettings(base_url=server.base_url, top_n=2, timeout_seconds=PATIENCE)
        async with vector_world(test_database, DOWN, settings) as world:
            await fill(world)
            plain = await world.search("tea")
            answer = await world.search("tea", rerank=True)
    assert len(server.requests[0].body["documents"]) == 2
    assert answer.hits[2].memory == plain.hits[2].memory
    judged = [hit.relevance.HasField("rerank_score") for hit in answer.hits]
    assert judged == [True, True, False]


@pytest.mark.parametrize("how", ["none", "failing", "slow"])
async def test_without_the_model_the_order_stays_and_the_answer_says_so(
    test_database: TestDatabase, how: str
) -> None:
    with RerankServer(Odd(503) if how == "failing" else Odd(seconds=600)) as server:
        address = "" if how == "none" else server.base_url
        limit = 0.3 if how == "slow" else PATIENCE
        settings = RerankSettings(base_url=address, timeout_seconds=limit)
        async with vector_world(test_database, DOWN, settings) as world:
            await fill(world)
            plain = await world.search("tea")
            answer = await world.search("tea", rerank=True)
    assert [hit.memory for hit in answer.hits] == [hit.memory for hit in plain.hits]
    assert answer.degraded
    assert answer.degraded_parts == ["embedding", "rerank"]
    said = {"none": "MNEMA_RERANK__BASE_URL", "failing": "503", "slow": "within 0.3 s"}[how]
    assert "not reranked: " in answer.degraded_reason
    assert said in answer.degraded_reason
