"""What the samples of neuromem's documentation need, and what they must have brought about."""

import inspect
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reportlab.pdfgen import canvas

from mnema.client import AsyncMnema, EdgeType, NodeType, NotFound
from services.providers.embeddings.adapted import AdaptedEmbedding
from tests.e2e.sample_world import USER, World, case, keys
from tests.e2e.waiting import until_async

RECALL_KEYS = {
    "vector_results",
    "conversation_results",
    "graph_results",
    "graph_context",
    "user_profile",
    "merged",
}


class YourLlm:
    """The reader's own model: answers with what it was given."""

    def __init__(self) -> None:
        self.context: Any = None

    def generate(self, context: Any) -> str:
        self.context = context
        return "Noted."


def _pdf(text: str) -> bytes:
    written = io.BytesIO()
    sheet = canvas.Canvas(written)
    sheet.drawString(72, 720, text)
    sheet.save()
    return written.getvalue()


@case
async def api_lifecycle(world: World) -> AsyncIterator[None]:
    yield
    with pytest.raises(RuntimeError, match="closed"):
        await world["nm"].status(USER)


@case
async def overview_init(world: World) -> AsyncIterator[None]:
    yield
    with pytest.raises(RuntimeError, match="closed"):
        await world["nm"].status(USER)


@case
async def architecture_constructor(world: World) -> AsyncIterator[None]:
    yield
    made: AsyncMnema = world["nm"]
    assert (await made.status(USER)).settled
    await made.close()


@case
async def api_dynamic_configuration(world: World) -> AsyncIterator[None]:
    def called(_: dict[str, Any]) -> None:
        pass

    for name in ("my_callback", "my_llm_callback", "my_embedding_callback"):
        world.names[name] = called
    yield
    settings = ("reflection_interval", "auto_extract", "graph_enabled")
    for name in (*settings, "on_extraction", "on_llm_call", "on_embedding_call"):
        # Any object takes any attribute: a setting is one that the class knows.
        assert inspect.getattr_static(AsyncMnema, name, None) is not None, name


@case
async def api_agent_loop(world: World) -> AsyncIterator[None]:
    world.names["your_llm"] = YourLlm()
    yield
    assert isinstance(world["your_llm"].context, list)
    await world.nm.wait_until_extracted(USER)
    found = await world.nm.recall(USER, "work", include_conversations=True)
    assert "Google" in found["merged"][0]["content"]
    sessions = await world.nm.conversations.list_sessions(USER)
    assert sum(each.message_count for each in sessions) == 2


@case
async def overview_ingest(world: World) -> AsyncIterator[None]:
    yield
    message = world["msg"]
    assert message.id
    assert message.session_id
    assert (message.role, message.content) == ("user", "I work at Google as a backend engineer")
    assert isinstance(message.created_at, datetime)
    await world.nm.wait_until_extracted(USER)
    memories = await world.nm.memories.list(USER, "fact")
    assert any("Google" in each.content for each in memories)


@case
async def overview_recall(world: World) -> AsyncIterator[None]:
    await world.says("I work at Google as a backend engineer", "I was so happy at the party!")
    await world.nm.kv.set(USER, "profile", "tone", "brief")
    yield
    result = world["result"]
    assert keys(result) >= RECALL_KEYS
    best = result["vector_results"][0]
    assert "Google" in best["content"]
    assert keys(best) >= {"id", "content", "memory_type", "metadata", "score"}
    assert best["memory_type"] == "fact"
    assert 1 <= best["metadata"]["importance"] <= 10
    fact = result["graph_results"][0]
    assert keys(fact) >= {"subject", "relation", "object", "content"}
    assert fact["relation"] == "WORKS_AT"
    assert result["graph_context"][0] == f"{fact['subject']} -> WORKS_AT -> {fact['object']}"
    assert result["user_profile"]["tone"] == "brief"
    assert {each["source"] for each in result["merged"]} >= {"vector", "graph"}
    scores = [each["score"] for each in result["merged"]]
    assert scores == sorted(scores, reverse=True)
    lines = world.printed.splitlines()
    assert len(lines) == len(scores)
    assert f"[{result['merged'][0]['source']}] " in lines[0]
    assert lines[0].endswith(f"(score: {scores[0]:.2f})")


@case
async def overview_digest(world: World) -> AsyncIterator[None]:
    await world.says(
        *(f"I like {thing}." for thing in ("strong coffee", "green tea", "sailing", "old maps")),
        *(f"I met Ines at the harbour on {day} March, it was wonderful!" for day in range(1, 8)),
    )
    yield
    result = world["result"]
    assert keys(result) >= {"insights_generated", "insights", "emotion_profile"}
    assert result["insights_generated"] == len(result["insights"]) > 0
    assert {each["category"] for each in result["insights"]} <= {"pattern", "summary"}
    assert all(each["content"] for each in result["insights"])
    emotions = result["emotion_profile"]
    assert emotions["latest_state"]
    assert -1 <= emotions["valence_avg"] <= 1


async def _called_back(world: World, expected: str) -> None:
    made: AsyncMnema = world["nm"]
    # A city that no other sample names: what is known already is not embedded again.
    await made.ingest(USER, "user", f"I live in {expected.strip().title()}town.")
    await made.wait_until_extracted(USER)
    await until_async(lambda: world.printed, lambda printed: expected in printed)
    await made.close()


@case
async def api_on_extraction(world: World) -> AsyncIterator[None]:
    yield
    await _called_back(world, " facts")


@case
async def api_on_llm_call(world: World) -> AsyncIterator[None]:
    yield
    await _called_back(world, "Embedded ")


@case
async def api_rollback_memories(world: World) -> AsyncIterator[None]:
    kept = await world.nm.add_memory(USER, "Likes tea")
    world.names["some_datetime"] = datetime.now(UTC)
    await world.nm.add_memory(USER, "Likes coffee")
    yield
    assert [each.id for each in await world.nm.memories.list(USER)] == [kept.id]


@case
async def api_get_memories_by_time_range(world: World) -> AsyncIterator[None]:
    await world.nm.add_memory(USER, "Too early")
    world.names["start_time"] = datetime.now(UTC)
    within = await world.nm.add_memory(USER, "In time", "fact")
    world.names["end_time"] = datetime.now(UTC)
    await world.nm.add_memory(USER, "Too late")
    yield
    assert [each.id for each in world["mems"]] == [within.id]
    assert world["mems"][0].memory_type == "fact"


@case
async def api_get_recent_memories(world: World) -> AsyncIterator[None]:
    await world.nm.add_memory(USER, "Likes tea")
    await world.nm.add_memory(USER, "Likes coffee")
    yield
    assert [each.content for each in world["mems"]] == ["Likes coffee", "Likes tea"]
    since = datetime.now(UTC) - timedelta(days=7)
    assert all(each.created_at > since for each in world["mems"])


@case
async def api_retry_failed_extractions(world: World) -> AsyncIterator[None]:
    await world.says("I like tea.")
    yield
    # Nothing had failed here; what fails and is retried is shown with a model that fails.
    assert await world.nm.list_extractions(USER, "failed") == []
    assert [each.state for each in await world.nm.list_extractions(USER)] == ["done"]


@case
async def api_clear_embedding_cache(world: World) -> AsyncIterator[None]:
    yield
    assert (await world.nm.recall(USER, "tea"))["degraded"] is False


@case
async def api_kv(world: World) -> AsyncIterator[None]:
    stored = {"dark": None, "size": 1.5, "list": [1, "two", False]}
    world.names.update(namespace="settings", key="theme", value=stored, v1=None, v2=[{"a": 1}])
    yield
    assert world["value"] == stored
    assert world["items"] == [{"key": "theme", "value": stored}]
    assert world["ok"] is True
    left = await world.nm.kv.list(USER, "settings")
    assert left == [{"key": "k1", "value": None}, {"key": "k2", "value": [{"a": 1}]}]


@case
async def api_conversations(world: World) -> AsyncIterator[None]:
    yield
    assert len(world["msg_ids"]) == 1
    listed = await world.nm.conversations.get_session_messages(USER, world["session_id"])
    assert [each.id for each in listed] == world["msg_ids"]
    assert {each.session_id for each in world["msgs"]} <= {world["session_id"]}
    (session,) = world["sessions"]
    assert (session.session_id, session.message_count) == (world["session_id"], 1)
    assert session.created_at <= session.updated_at
    assert session.closed_at is not None


@case
async def api_files(world: World) -> AsyncIterator[None]:
    world.names["bytes_data"] = _pdf("The quarterly report says that tea sells well.")
    old = await world.nm.files.create_from_text(USER, "Old", "Coffee sells badly.")
    world.names["file_id"] = old.id
    yield
    assert world["doc"].id == old.id
    assert {each.filename for each in world["docs"]} >= {"report.pdf"}
    assert len(world["docs"]) == 3
    assert world["ok"] is True
    with pytest.raises(NotFound):
        await world.nm.files.get(USER, old.id)
    assert all(each["file_id"] != old.id for each in world["results"])
    (report,) = await world.nm.files.list(USER, tags=["quarterly"])
    assert (report.category, report.file_type) == ("work", "pdf")
    found = await world.nm.files.search(USER, query="tea")
    assert found[0]["file_id"] == report.id


@case
async def api_graph(world: World) -> AsyncIterator[None]:
    yield
    assert len(NodeType) == 9
    assert len(EdgeType) == 23
    node = world["node"]
    assert (node.node_type, node.node_id) == (NodeType.USER, "alice")
    assert node.properties == {"name": "Alice"}
    (neighbor,) = world["neighbors"]
    assert (neighbor.node.node_type, neighbor.node.node_id) == (NodeType.ENTITY, "google")
    assert neighbor.edge.properties == {"since": "2023"}
    (path,) = world["paths"]
    assert [each.node_id for each in path.nodes] == ["alice", "google"]
    with pytest.raises(NotFound):
        await world.nm.graph.get_node(USER, NodeType.USER, "alice")


async def _some_of_everything(world: World) -> None:
    await world.says("I work at Google as a backend engineer.", "I was happy in Lisbon.")
    await world.nm.kv.set(USER, "settings", "theme", "dark")
    await world.nm.files.create_from_text(USER, title="Notes", content="Tea sells well.")


@case
async def api_delete_user_data(world: World) -> AsyncIterator[None]:
    await _some_of_everything(world)
    yield
    deleted = world["result"]["deleted"]
    assert all(isinstance(count, int) for count in deleted.values())
    assert sum(deleted.values()) > 5
    assert await world.nm.memories.list(USER) == []
    assert await world.nm.kv.list(USER, "settings") == []
    assert await world.nm.files.list(USER) == []
    assert await world.nm.conversations.list_sessions(USER) == []


@case
async def api_export_user_data(world: World) -> AsyncIterator[None]:
    await _some_of_everything(world)
    yield
    data = world["data"]
    expected = {"memories", "conversations", "graph", "kv", "profile", "documents"}
    assert keys(data) >= expected
    for name in expected - {"profile"}:
        assert data[name], name


@case
async def api_stats(world: World) -> AsyncIterator[None]:
    await _some_of_everything(world)
    yield
    stats = world["stats"]
    assert keys(stats) >= {"total", "by_type", "by_week", "active_entities", "profile_summary"}
    assert stats["total"] == sum(stats["by_type"].values()) > 0
    assert stats["by_type"]["fact"] > 0


@case
async def api_cold_memories(world: World) -> AsyncIterator[None]:
    await world.nm.add_memory(USER, "Likes tea")
    yield
    assert world["cold"] == []  # nothing is so old yet
    (cold,) = await world.nm.cold_memories(USER, threshold_days=0)
    assert keys(cold) >= {"id", "content", "access_count", "last_accessed_at"}
    assert (cold["content"], cold["access_count"]) == ("Likes tea", 0)
    assert cold["last_accessed_at"] is None


@case
async def api_entity_profile(world: World) -> AsyncIterator[None]:
    await _some_of_everything(world)
    yield
    profile = world["profile"]
    assert keys(profile) >= {"entity", "facts", "graph_relations", "conversations", "timeline"}
    for name in ("facts", "graph_relations", "conversations", "timeline"):
        assert profile[name], name


@case
async def api_embedding_provider(world: World) -> AsyncIterator[None]:
    yield
    assert AdaptedEmbedding(world["CustomEmbedding"](), model="custom").dims == 1024


class YourApi:
    """The reader's own embedding service."""

    async def embed(self, text: str) -> list[float]:
        return [float(len(text)), *[0.0] * 767]


@case
async def architecture_custom_embedding(world: World) -> AsyncIterator[None]:
    world.names["my_api"] = YourApi()
    yield
    provider = AdaptedEmbedding(world["MyEmbedding"](), model="mine")
    assert (await provider.embed("tea"))[0] == 1.0
    # It has no embed_batch of its own, and needs none.
    assert (await provider.embed_batch(["tea", "coffee"])).shape == (2, 768)
