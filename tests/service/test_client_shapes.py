"""What the calls of the documented interface send and return, on both sides."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from mnema.client import AsyncMnema, EdgeType, Mnema, NodeType
from mnema.v1 import (
    account_service_pb2,
    conversation_service_pb2,
    file_service_pb2,
    graph_service_pb2,
    ingest_service_pb2,
    key_value_service_pb2,
    memory_service_pb2,
    recall_service_pb2,
    reflect_service_pb2,
    types_pb2,
    vector_service_pb2,
)
from tests.patience import PATIENCE
from tests.service.client_script import Script, scripted
from tests.service.client_sides import Side

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
RELEVANCE = vector_service_pb2.Relevance(vector_similarity=0.9, vector_rank=1, rrf=0.5, score=0.5)
FACTORS = recall_service_pb2.ScoreFactors(
    relevance=RELEVANCE, recency=0.9, importance=0.8, graph_boost=1.5
)
WORKS = types_pb2.Memory(
    memory_id="m1",
    memory_type=types_pb2.MEMORY_TYPE_FACT,
    content="Works at Google",
    importance=8,
    emotion=types_pb2.Emotion(valence=0.6, arousal=0.4, label="satisfied"),
    source_message_ids=["s1"],
)
WORKS.metadata["origin"] = "test"
EDGE = types_pb2.Edge(
    edge_id="e1",
    source=types_pb2.NodeKey(node_type=types_pb2.NODE_TYPE_USER, node_id="alice"),
    edge_type=types_pb2.EDGE_TYPE_WORKS_AT,
    target=types_pb2.NodeKey(node_type=types_pb2.NODE_TYPE_ENTITY, node_id="google"),
    content="Alice works at Google",
)
FACT = graph_service_pb2.GraphFact(
    edge=EDGE, subject="alice", relation="WORKS_AT", object="google", matched_ends=1
)


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with scripted() as running:
        yield running


@pytest.fixture(params=[AsyncMnema, Mnema])
async def side(request: pytest.FixtureRequest, script: Script) -> AsyncIterator[Side]:
    side = Side(request.param(script.address, timeout=PATIENCE, retries=0))
    yield side
    await side.run(side.nm.close)


def _recalled() -> recall_service_pb2.RecallResponse:
    response = recall_service_pb2.RecallResponse(
        vector_results=[
            recall_service_pb2.ScoredMemory(memory=WORKS, score=0.646, factors=FACTORS)
        ],
        graph_results=[FACT],
        graph_context=["alice -> WORKS_AT -> google"],
        merged=[
            recall_service_pb2.MergedResult(
                content="Works at Google",
                source=recall_service_pb2.RESULT_SOURCE_VECTOR,
                score=0.646,
                id="m1",
                source_message_ids=["s1"],
                factors=FACTORS,
            ),
            recall_service_pb2.MergedResult(
                content="alice -> WORKS_AT -> google",
                source=recall_service_pb2.RESULT_SOURCE_GRAPH,
                score=0.3,
                id="e1",
            ),
        ],
        degraded=True,
        degraded_arms=[recall_service_pb2.DegradedArm(arm="embedding", reason="down")],
    )
    response.user_profile["languages"] = ["English", "German"]
    return response


async def test_recall(side: Side, script: Script) -> None:
    script.on("Recall", _recalled())
    result = await side.run(side.nm.recall, user_id="alice", query="work", limit=5)
    memory = result["vector_results"][0]
    assert (memory["id"], memory["memory_type"], memory["score"]) == ("m1", "fact", 0.646)
    assert memory["metadata"] == {
        "origin": "test",
        "importance": 8,
        "emotion": {"valence": 0.6, "arousal": 0.4, "label": "satisfied"},
    }
    assert memory["factors"]["rrf"] == 0.5
    assert memory["factors"]["bm25"] is None
    assert result["graph_context"] == ["alice -> WORKS_AT -> google"]
    assert result["user_profile"] == {"languages": ["English", "German"]}
    best, fact = result["merged"]
    assert (best["source"], best["memory_type"], best["score"]) == ("vector", "fact", 0.646)
    assert (fact["source"], fact["content"]) == ("graph", "alice -> WORKS_AT -> google")
    assert (fact["subject"], fact["relation"], fact["factors"]) == ("alice", "WORKS_AT", None)
    assert result["conversation_results"] == []
    assert result["degraded"] is True
    assert result["degraded_arms"] == [{"arm": "embedding", "reason": "down"}]


async def test_recall_explained_and_written_down(side: Side, script: Script) -> None:
    response = _recalled()
    inputs = recall_service_pb2.FactorInputs(arousal=0.4, importance=8, graph_coverage=0.5)
    inputs.age.FromSeconds(90)
    inputs.decay_rate.FromSeconds(3600)
    response.merged[0].factors.inputs.CopyFrom(inputs)
    response.merged[1].fact_factors.CopyFrom(
        recall_service_pb2.FactFactors(confidence=0.9, coverage=1, weight=0.5)
    )
    response.context.CopyFrom(
        recall_service_pb2.PromptContext(
            text="data", tokens=2, result_ids=["m1"], profile_keys=["languages"], results_left_out=1
        )
    )
    script.on("Recall", response)
    result = await side.run(side.nm.recall, "alice", "work", explain=True, max_context_tokens=99)
    best, fact = result["merged"]
    assert best["factors"]["inputs"] == {
        "age": 90.0,
        "decay_rate": 3600.0,
        "arousal": 0.4,
        "importance": 8,
        "graph_coverage": 0.5,
    }
    assert result["vector_results"][0]["factors"]["inputs"] is None
    assert best["fact_factors"] is None
    assert fact["fact_factors"] == {"confidence": 0.9, "coverage": 1.0, "weight": 0.5}
    assert result["context"] == {
        "text": "data",
        "tokens": 2,
        "ids": ["m1"],
        "profile_keys": ["languages"],
        "left_out": 1,
    }


async def test_embeddings_name_their_model(side: Side, script: Script) -> None:
    made = [vector_service_pb2.Embedding(values=[0.5, 0.25])]
    script.on("Embed", vector_service_pb2.EmbedResponse(embeddings=made, model="mini", dimension=2))
    embeddings = await side.run(side.nm.embed, ["work"])
    assert embeddings == [[0.5, 0.25]]
    assert embeddings.model == "mini"


async def test_recall_sends_every_filter(side: Side, script: Script) -> None:
    script.on("Recall", recall_service_pb2.RecallResponse())
    await side.run(
        side.nm.recall,
        "alice",
        "work",
        7,
        3600.5,
        True,
        ["fact", "insight"],
        NOON,
        NOON + timedelta(1),
        NOON + timedelta(2),
        NOON + timedelta(3),
        NOON + timedelta(4),
        query_embedding=[1.0, 0.0],
        query_embedding_model="mini",
        max_context_tokens=500,
    )
    sent = MessageToDict(script.of("Recall")[0].request)
    assert sent == {
        "userId": "alice",
        "query": "work",
        "limit": 7,
        "decayRate": "3600.500s",
        "includeConversations": True,
        "memoryTypes": ["MEMORY_TYPE_FACT", "MEMORY_TYPE_INSIGHT"],
        "createdAfter": "2026-05-03T12:00:00Z",
        "createdBefore": "2026-05-04T12:00:00Z",
        "eventAfter": "2026-05-05T12:00:00Z",
        "eventBefore": "2026-05-06T12:00:00Z",
        "asOf": "2026-05-07T12:00:00Z",
        "queryEmbedding": [1.0, 0.0],
        "queryEmbeddingModel": "mini",
        "maxContextTokens": 500,
    }
    await side.run(side.nm.recall, "alice", "work", memory_type="episodic")
    assert list(script.of("Recall")[1].request.memory_types) == [types_pb2.MEMORY_TYPE_EPISODIC]


async def test_digest(side: Side, script: Script) -> None:
    script.on(
        "Digest",
        reflect_service_pb2.DigestResponse(
            insights_generated=1,
            insights=[
                reflect_service_pb2.Insight(memory_id="i1", content="Tech", category="pattern")
            ],
            emotion_profile=types_pb2.EmotionProfile(latest_state="calm", valence_avg=-0.3),
        ),
    )
    result = await side.run(side.nm.digest, user_id="alice", batch_size=50, background=False)
    assert result["insights_generated"] == 1
    assert result["insights"][0]["content"] == "Tech"
    assert result["insights"][0]["category"] == "pattern"
    assert result["emotion_profile"]["latest_state"] == "calm"
    assert result["emotion_profile"]["valence_avg"] == -0.3
    assert result["emotion_profile"]["last_reflected_at"] is None


async def test_key_values(side: Side, script: Script) -> None:
    item = key_value_service_pb2.KeyValue(key="theme")
    item.value.struct_value["dark"] = True
    script.on("SetValue", key_value_service_pb2.SetValueResponse())
    script.on("ListValues", key_value_service_pb2.ListValuesResponse(key_values=[item]))
    script.on("DeleteValue", key_value_service_pb2.DeleteValueResponse(deleted=True))
    script.on("BatchSetValues", key_value_service_pb2.BatchSetValuesResponse(stored=2))
    assert await side.run(side.nm.kv.set, "alice", "ui", "theme", None) is None
    assert script.of("SetValue")[0].request.value.WhichOneof("kind") == "null_value"
    items = await side.run(side.nm.kv.list, "alice", "ui", prefix="th")
    assert items == [{"key": "theme", "value": {"dark": True}}]
    assert await side.run(side.nm.kv.delete, "alice", "ui", "theme") is True
    assert await side.run(side.nm.kv.batch_set, "alice", "ui", {"a": 1, "b": [None]}) == 2


async def test_conversations(side: Side, script: Script) -> None:
    messages = [types_pb2.Message(message_id=f"m{n}", sequence=n) for n in range(1, 6)]
    receipts = [
        ingest_service_pb2.MessageReceipt(message_id="m1", session_id="other"),
        ingest_service_pb2.MessageReceipt(message_id="m2", session_id="new"),
    ]
    script.on("IngestBatch", ingest_service_pb2.IngestBatchResponse(receipts=receipts))
    batch = [
        {"role": "user", "content": "one", "session_id": "other"},
        {"role": "user", "content": "two", "said_at": NOON, "metadata": {"n": 1}},
    ]
    session_id, msg_ids = await side.run(
        side.nm.conversations.add_messages_batch, "alice", messages=batch, session_id=None
    )
    assert (session_id, msg_ids) == ("new", ["m1", "m2"])
    listed = conversation_service_pb2.ListMessagesResponse(messages=messages)
    script.on("ListMessages", listed)
    found = await side.run(
        side.nm.conversations.get_session_messages, "alice", "s1", limit=2, offset=1
    )
    assert [each.id for each in found] == ["m2", "m3"]
    sessions = [conversation_service_pb2.Session(session_id="s1", message_count=5)]
    script.on("ListSessions", conversation_service_pb2.ListSessionsResponse(sessions=sessions))
    (session,) = await side.run(side.nm.conversations.list_sessions, "alice", limit=10)
    assert (session.session_id, session.message_count, session.closed_at) == ("s1", 5, None)


async def test_unextracted_messages_are_those_of_three_states(side: Side, script: Script) -> None:
    def answer(request: Any) -> conversation_service_pb2.ListMessagesResponse:
        number = request.extraction_state
        seen = [number, 9] if number < types_pb2.EXTRACTION_STATE_FAILED else [number]
        messages = [
            types_pb2.Message(message_id=f"m{n}", created_at=Timestamp(seconds=100 - n))
            for n in seen
        ]
        return conversation_service_pb2.ListMessagesResponse(messages=messages)

    script.on("ListMessages", answer)
    found = await side.run(side.nm.conversations.get_unextracted_messages, "alice")
    assert [each.id for each in found] == ["m9", "m4", "m2", "m1"]


async def test_the_graph_of_the_documented_examples(side: Side, script: Script) -> None:
    graph, node = side.nm.graph, types_pb2.Node(node_type=types_pb2.NODE_TYPE_USER, node_id="alice")
    script.on("CreateNode", graph_service_pb2.CreateNodeResponse(node=node))
    script.on("CreateEdge", graph_service_pb2.CreateEdgeResponse(edge=EDGE))
    script.on("GetNode", graph_service_pb2.GetNodeResponse(node=node))
    neighbor = graph_service_pb2.Neighbor(
        edge=EDGE, node=node, direction=graph_service_pb2.DIRECTION_OUT
    )
    script.on("ListNeighbors", graph_service_pb2.ListNeighborsResponse(neighbors=[neighbor]))
    path = graph_service_pb2.Path(nodes=[node, node], edges=[EDGE])
    script.on("FindPaths", graph_service_pb2.FindPathsResponse(paths=[path]))
    script.on("UpdateNode", graph_service_pb2.UpdateNodeResponse(node=node))
    script.on("DeleteNode", graph_service_pb2.DeleteNodeResponse(deleted=True))

    await side.run(graph.create_node, NodeType.USER, "alice", properties={"name": "Alice"})
    edge = await side.run(
        graph.create_edge,
        NodeType.USER,
        "alice",
        EdgeType.WORKS_AT,
        NodeType.ENTITY,
        "google",
        properties={"since": "2023"},
    )
    await side.run(graph.get_node, "alice", NodeType.USER, "alice")
    neighbors = await side.run(
        graph.get_neighbors,
        "alice",
        NodeType.USER,
        "alice",
        edge_types=[EdgeType.WORKS_AT],
        direction="both",
        limit=10,
    )
    paths = await side.run(
        graph.find_path, NodeType.USER, "alice", NodeType.ENTITY, "google", max_depth=3
    )
    await side.run(graph.update_node, NodeType.USER, "alice", properties={"age": 31})
    assert await side.run(graph.delete_node, NodeType.USER, "alice") is True

    assert {call.request.user_id for call in script.calls} == {"alice"}
    assert script.of("CreateNode")[0].request.node.name == "Alice"
    assert (edge.edge_type, edge.relation, edge.weight) == (EdgeType.WORKS_AT, "WORKS_AT", 1.0)
    assert (neighbors[0].direction, neighbors[0].edge.target_id) == ("out", "google")
    assert list(script.of("ListNeighbors")[0].request.edge_types) == [types_pb2.EDGE_TYPE_WORKS_AT]
    assert (len(paths[0].nodes), len(paths[0].edges)) == (2, 1)
    assert list(script.of("UpdateNode")[0].request.update_mask.paths) == ["properties"]
    with pytest.raises(ValueError, match="user_id="):
        await side.run(graph.delete_node, NodeType.PERSON, "bob")


async def test_memories(side: Side, script: Script) -> None:
    script.on("AddMemory", memory_service_pb2.AddMemoryResponse(memory=WORKS))
    memory = await side.run(
        side.nm.add_memory, "alice", "Works at Google", "fact", {"origin": "test"}, importance=8
    )
    assert (memory.id, memory.memory_type, memory.importance) == ("m1", "fact", 8)
    assert memory.emotion is not None
    assert memory.emotion.label == "satisfied"
    felt = {"valence": 0.6, "arousal": 0.4, "label": "satisfied"}
    assert memory.metadata == {"origin": "test", "importance": 8, "emotion": felt}
    script.on("UpdateMemory", memory_service_pb2.UpdateMemoryResponse(memory=WORKS))
    await side.run(side.nm.memories.update, "alice", "m1", tags=[], importance=9)
    sent = script.of("UpdateMemory")[0].request
    assert set(sent.update_mask.paths) == {"tags", "importance"}
    assert (sent.memory.memory_id, sent.memory.importance) == ("m1", 9)
    with pytest.raises(ValueError, match="nothing to correct"):
        await side.run(side.nm.memories.update, "alice", "m1")
    script.on("ListMemories", memory_service_pb2.ListMemoriesResponse(memories=[WORKS]))
    await side.run(side.nm.get_memories_by_time_range, "alice", NOON, NOON + timedelta(1))
    await side.run(side.nm.get_recent_memories, "alice", days=7, memory_types=["fact"])
    await side.run(side.nm.memories.list, "alice", tags="tea", category="hobby", text="green")
    by_range, recent, chosen = script.of("ListMemories")
    sent = chosen.request
    assert (list(sent.tags), sent.category, sent.text) == (["tea"], "hobby", "green")
    assert by_range.request.created_before.ToDatetime(UTC) == NOON + timedelta(1)
    age = datetime.now(UTC) - recent.request.created_after.ToDatetime(UTC)
    assert abs(age - timedelta(days=7)) < timedelta(minutes=10)


async def test_searches(side: Side, script: Script) -> None:
    chunk = vector_service_pb2.Chunk(chunk_id="c1", file_id="f1", filename="a.pdf", content="x")
    hits = [
        vector_service_pb2.SearchHit(memory=WORKS, relevance=RELEVANCE),
        vector_service_pb2.SearchHit(chunk=chunk, relevance=RELEVANCE),
    ]
    script.on(
        "Search",
        vector_service_pb2.SearchResponse(hits=hits, degraded=True, degraded_reason="no model"),
    )
    found = await side.run(side.nm.search, "alice", "work", kinds=["memory", "chunk"])
    assert [(each["kind"], each["id"], each["score"]) for each in found] == [
        ("memory", "m1", 0.5),
        ("chunk", "c1", 0.5),
    ]
    assert (found.degraded, found.degraded_reason) == (True, "no model")
    hit = file_service_pb2.FileHit(chunk=chunk, score=0.5, relevance=RELEVANCE)
    script.on("SearchFiles", file_service_pb2.SearchFilesResponse(hits=[hit]))
    results = await side.run(side.nm.files.search, "alice", query="x", limit=5)
    assert (results[0]["filename"], results[0]["score"]) == ("a.pdf", 0.5)
    assert not results.degraded


async def test_secrets_stay_out_of_reprs(side: Side, script: Script) -> None:
    key = account_service_pb2.ApiKey(
        key_id="k1", kind=account_service_pb2.API_KEY_KIND_TENANT, prefix="mk_tenant_ab"
    )
    script.on(
        "CreateApiKey", account_service_pb2.CreateApiKeyResponse(api_key=key, secret="mk_secret")
    )
    made = await side.run(side.nm.accounts.create_key, "tenant", tenant_id="t1", name="ci")
    assert (made.secret, made.key.kind, made.key.user_id) == ("mk_secret", "tenant", None)
    assert "mk_secret" not in repr(made)
    assert script.of("CreateApiKey")[0].request.kind == account_service_pb2.API_KEY_KIND_TENANT
    script.on("CreateTenant", account_service_pb2.CreateTenantResponse(api_key="mk_secret"))
    tenant = await side.run(side.nm.accounts.create_tenant, "Acme")
    assert tenant.api_key == "mk_secret"
    assert "mk_secret" not in repr(tenant)
