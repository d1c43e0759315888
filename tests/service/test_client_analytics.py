"""What the calls that look at a memory as a whole send and return, on both sides."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from mnema.client import AsyncMnema, Mnema
from mnema.v1 import analytics_service_pb2 as pb
from mnema.v1 import graph_service_pb2, types_pb2, vector_service_pb2
from tests.patience import PATIENCE
from tests.service.client_script import Script, scripted
from tests.service.client_sides import Side

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with scripted() as running:
        yield running


@pytest.fixture(params=[AsyncMnema, Mnema])
async def side(request: pytest.FixtureRequest, script: Script) -> AsyncIterator[Side]:
    side = Side(request.param(script.address, timeout=PATIENCE, retries=0))
    yield side
    await side.run(side.nm.close)


def memory(**fields: Any) -> types_pb2.Memory:
    made = types_pb2.Memory(
        memory_id="m1",
        memory_type=types_pb2.MEMORY_TYPE_FACT,
        content="Works at Google",
        importance=8,
        **fields,
    )
    made.created_at.FromDatetime(NOON)
    return made


async def test_stats(side: Side, script: Script) -> None:
    response = pb.GetStatsResponse(
        total=42,
        by_type={"fact": 20, "episodic": 22},
        by_week=[pb.WeekCount(week="2026-W18", count=3)],
        active_entities=12,
        pending=pb.PendingWork(embeddings=2),
    )
    response.profile_summary.profile["occupation"] = "chemist"
    script.on("GetStats", response)
    stats = await side.run(side.nm.stats, "alice")
    assert (stats["total"], stats["active_entities"]) == (42, 12)
    assert list(stats["by_type"].items()) == [("episodic", 22), ("fact", 20)]
    assert stats["by_week"] == [{"week": "2026-W18", "count": 3}]
    assert stats["profile_summary"] == {
        "profile": {"occupation": "chemist"},
        "emotion_profile": None,
        "insight_count": 0,
        "last_reflected_at": None,
    }
    assert stats["pending"]["embeddings"] == 2


async def test_cold_memories(side: Side, script: Script) -> None:
    script.on("ListColdMemories", pb.ListColdMemoriesResponse(memories=[memory()]))
    (cold,) = await side.run(side.nm.cold_memories, "alice", threshold_days=90, limit=50)
    assert cold == {
        "id": "m1",
        "content": "Works at Google",
        "memory_type": "fact",
        "metadata": {"importance": 8},
        "created_at": NOON,
        "access_count": 0,
        "last_accessed_at": None,
        "event_at": None,
        "category": None,
        "tags": [],
    }


async def test_entity_profile(side: Side, script: Script) -> None:
    message = types_pb2.Message(message_id="s1", session_id="s", role="user", content="Google!")
    message.created_at.FromDatetime(NOON)
    edge = types_pb2.Edge(edge_id="e1", content="Alice works at Google")
    entry = pb.EntityEvent(kind=pb.ENTITY_EVENT_KIND_GRAPH, id="e1", content=edge.content)
    entry.time.FromDatetime(NOON)
    fact = graph_service_pb2.GraphFact(
        edge=edge, subject="alice", relation="WORKS_AT", object="google"
    )
    script.on(
        "GetEntityProfile",
        pb.GetEntityProfileResponse(
            aliases=["google llc"],
            facts=[memory()],
            graph_relations=[fact],
            conversations=[message],
            timeline=[entry],
        ),
    )
    profile = await side.run(side.nm.entity_profile, "alice", entity="Google")
    assert (profile["entity"], profile["names"]) == ("Google", ["Google", "google llc"])
    assert [each["content"] for each in profile["facts"]] == ["Works at Google"]
    (relation,) = profile["graph_relations"]
    assert (relation["subject"], relation["relation"], relation["object"]) == (
        "alice",
        "WORKS_AT",
        "google",
    )
    (said,) = profile["conversations"]
    assert (said["role"], said["session_id"], said["created_at"]) == ("user", "s", NOON)
    assert profile["timeline"] == [
        {"type": "graph", "content": "Alice works at Google", "time": NOON, "id": "e1"}
    ]


async def test_clear_embedding_cache(side: Side, script: Script) -> None:
    figures: dict[str, Any] = {"entries": 3, "capacity": 10, "hits": 5, "misses": 4, "model": "m"}
    script.on("ClearEmbeddingCache", vector_service_pb2.ClearEmbeddingCacheResponse(**figures))
    assert await side.run(side.nm.clear_embedding_cache) == figures
