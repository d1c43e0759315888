"""From what was said to what is remembered, and as of when."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.contract import rpc
from tests.e2e.gateway import Gateway
from tests.e2e.waiting import until

Call = Callable[..., dict[str, Any]]


@pytest.fixture
def call(gateway: Gateway, user_id: str) -> Call:
    """Calls for one fresh user."""

    def made(name: str, **fields: Any) -> dict[str, Any]:
        return gateway.call(name, {"user_id": user_id, **fields})

    return made


def say(call: Call, content: str, **fields: Any) -> dict[str, Any]:
    message = {"role": "user", "speaker": "Nora", "session_id": "s", **fields}
    answer: dict[str, Any] = call("IngestService.Ingest", content=content, **message)["message"]
    return answer


def settle(call: Call) -> None:
    """Waits until everything said is in memory."""
    until(
        lambda: call("IngestService.GetIngestStatus"),
        lambda status: not any(int(status[each]) for each in status),
    )


def contents(memories: list[dict[str, Any]]) -> list[str]:
    return [each["content"] for each in memories]


def now() -> str:
    return datetime.now(UTC).isoformat()


@pytest.mark.feature("N03")
@pytest.mark.feature("N20")
def test_extraction_finds_facts_episodes_triples_profile_and_emotion(call: Call) -> None:
    say(call, "I work at Harbour Labs as a chemist and I live in Bergen.")
    say(call, "I was so happy yesterday, I won the sailing race!", said_at="2026-05-04T10:00:00Z")
    settle(call)
    memories = call("MemoryService.ListMemories")["memories"]
    kinds = {each["memory_type"] for each in memories}
    assert {"MEMORY_TYPE_FACT", "MEMORY_TYPE_EPISODIC"} <= kinds
    assert all(1 <= each["importance"] <= 10 for each in memories)
    assert all(each["source_message_ids"] for each in memories)
    (race,) = [each for each in memories if "sailing race" in each["content"]]
    assert race["event_at"].startswith("2026-05-03")
    assert race["emotion"]["valence"] > 0.3
    assert 0 <= race["emotion"]["arousal"] <= 1
    assert race["emotion"]["label"]
    neighbors = call("GraphService.ListNeighbors", node_type="NODE_TYPE_PERSON", node_id="nora")[
        "neighbors"
    ]
    relations = {(each["edge"]["edge_type"], each["node"]["name"]) for each in neighbors}
    assert ("EDGE_TYPE_WORKS_AT", "Harbour Labs") in relations
    assert ("EDGE_TYPE_LIVES_IN", "Bergen") in relations
    (extraction, *_) = call("IngestService.ListExtractions")["extractions"]
    assert extraction["state"] == "EXTRACTION_STATE_DONE"
    assert extraction["extractor"] == "local"


@pytest.mark.feature("N04")
@pytest.mark.feature("N05")
@pytest.mark.feature("X05")
def test_a_score_can_be_worked_out_again(call: Call) -> None:
    for sentence in (
        "I live in Bergen.",
        "I am terrified of spiders, one crawled over my hand today!",
        "I like strong coffee.",
        "The bus was late.",
    ):
        say(call, sentence)
    settle(call)
    asked = {"query": "Where does Nora live?", "include_conversations": True, "limit": 10}
    asked["as_of"] = now()  # so that ages are the same in both answers
    asked["ranking_profile"] = "neuromem"
    answer = call("RecallService.Recall", decay_rate="3600s", **asked)
    assert answer["degraded"] is False
    best = answer["merged"][0]
    assert "Bergen" in best["content"]
    assert best["source_message_ids"]
    scores = [each["score"] for each in answer["merged"]]
    assert scores == sorted(scores, reverse=True)
    explained = [*answer["vector_results"], *answer["conversation_results"]]
    assert len(explained) > 3
    for each in explained:
        factors, relevance = each["factors"], each["factors"]["relevance"]
        product = relevance["rrf"] * factors["recency"] * factors["importance"]
        assert each["score"] == pytest.approx(product * factors["graph_boost"])
        ranks = [relevance.get(leg) for leg in ("vector_rank", "bm25_rank")]
        fused = sum(1 / (1 + rank) for rank in ranks if rank)
        assert relevance["rrf"] == pytest.approx(fused)
        assert 1 <= factors["graph_boost"] <= 2
    for each in answer["vector_results"]:
        assert each["factors"]["importance"] == pytest.approx(each["memory"]["importance"] / 10)
    assert any("LIVES_IN" in each for each in answer["graph_context"])
    sources = {each["source"] for each in answer["merged"]}
    assert {"RESULT_SOURCE_VECTOR", "RESULT_SOURCE_CONVERSATION"} <= sources
    # A longer decay forgets more slowly: the recency of everything rises.
    slow = call("RecallService.Recall", decay_rate="7200s", **asked)
    by_id = {each["memory"]["memory_id"]: each["factors"] for each in slow["vector_results"]}
    for each in answer["vector_results"]:
        recency, slower = each["factors"]["recency"], by_id[each["memory"]["memory_id"]]["recency"]
        assert 0 < recency < slower < 1
        assert math.log(slower) * 2 == pytest.approx(math.log(recency))


def test_filters_by_type_and_by_both_times(call: Call) -> None:
    add = "MemoryService.AddMemory"
    before = now()
    call(add, memory={"content": "Ran a marathon", "memory_type": "MEMORY_TYPE_EPISODIC",
                      "event_at": "2025-03-01T00:00:00Z"})  # fmt: skip
    between = now()
    call(add, memory={"content": "Owns a marathon medal", "memory_type": "MEMORY_TYPE_FACT",
                      "event_at": "2025-09-01T00:00:00Z"})  # fmt: skip
    after = now()

    def found(**filters: Any) -> set[str]:
        answer = call("RecallService.Recall", query="marathon", **filters)
        return {each["memory"]["content"] for each in answer["vector_results"]}

    both = {"Ran a marathon", "Owns a marathon medal"}
    assert found() == both
    assert found(memory_types=["MEMORY_TYPE_FACT"]) == {"Owns a marathon medal"}
    assert found(created_after=between) == {"Owns a marathon medal"}
    assert found(created_before=between) == {"Ran a marathon"}
    assert found(event_before="2025-09-01T00:00:00Z") == {"Ran a marathon"}  # half-open
    assert found(event_after="2025-09-01T00:00:00Z") == {"Owns a marathon medal"}
    assert found(as_of=before) == set()
    assert found(as_of=between) == {"Ran a marathon"}
    assert found(as_of=after) == both


@pytest.mark.feature("N09")
@pytest.mark.feature("X06")
@pytest.mark.feature("M03")
def test_three_moves_leave_one_truth_and_every_past_one_readable(call: Call) -> None:
    moments = []
    for city in ("Bergen", "Oslo", "Tromsø"):
        memory = {"content": f"Lives in {city}", "memory_type": "MEMORY_TYPE_FACT", "slot": "home"}
        call("MemoryService.AddMemory", memory=memory)
        triple = {
            "subject": {"node_type": "NODE_TYPE_PERSON", "name": "Nora"},
            "relation": "EDGE_TYPE_LIVES_IN",
            "object": {"node_type": "NODE_TYPE_LOCATION", "name": city},
        }
        call("GraphService.AddTriples", triples=[triple])
        call("KeyValueService.SetValue", namespace="profile", key="home", value=city)
        moments.append((now(), city))
    for moment, city in [*moments, (now(), "Tromsø")]:
        answer = call("RecallService.Recall", query="Where does Nora live?", as_of=moment)
        assert [each["memory"]["content"] for each in answer["vector_results"]] == [
            f"Lives in {city}"
        ]
        assert answer["graph_context"] == [f"Nora -> LIVES_IN -> {city}"]
        assert answer["user_profile"] == {"home": city}
    (present,) = call("MemoryService.ListMemories")["memories"]
    assert present["content"] == "Lives in Tromsø"
    past = call("MemoryService.ListMemories", as_of=moments[0][0])["memories"][0]
    revisions = call("MemoryService.ListMemoryRevisions", memory_id=past["memory_id"])["revisions"]
    assert revisions[0]["superseded_by"]
    assert revisions[0]["retracted_at"]


def test_what_is_over_is_no_longer_present(call: Call) -> None:
    say(call, "I work at Harbour Labs.", said_at="2025-02-01T10:00:00Z")
    settle(call)
    say(call, "I left Harbour Labs, it was time.", said_at="2025-08-01T10:00:00Z")
    settle(call)
    present = contents(
        call("MemoryService.ListMemories", memory_types=["MEMORY_TYPE_FACT"])["memories"]
    )
    assert not any("works at Harbour Labs" in each for each in present)
    nora = {"node_type": "NODE_TYPE_PERSON", "node_id": "nora"}
    assert call("GraphService.ListNeighbors", **nora)["neighbors"] == []
    (past,) = call("GraphService.ListNeighbors", include_closed=True, **nora)["neighbors"]
    assert past["edge"]["closed_reason"] == "ended"


@pytest.mark.feature("M11")
def test_the_same_fact_again_refreshes(call: Call) -> None:
    memory = {"content": "Plays the cello", "memory_type": "MEMORY_TYPE_FACT", "importance": 3}
    first = call("MemoryService.AddMemory", memory=memory)["memory"]
    again = call("MemoryService.AddMemory", memory={**memory, "importance": 7})["memory"]
    assert again["memory_id"] == first["memory_id"]
    assert again["importance"] == 7
    assert again["last_refreshed_at"] > first["last_refreshed_at"]
    assert len(call("MemoryService.ListMemories")["memories"]) == 1


@pytest.mark.feature("N21")
@pytest.mark.feature("B15")
def test_a_memory_of_ones_own(call: Call, gateway: Gateway, user_id: str) -> None:
    for number in range(5):
        memory = {"content": f"Decision number {number}", "memory_type": "MEMORY_TYPE_DECISION",
                  "tags": ["board"], "metadata": {"round": number}}  # fmt: skip
        call("MemoryService.AddMemory", memory=memory)
    call("MemoryService.AddMemory", memory={"content": "Call the bank",
                                            "memory_type": "MEMORY_TYPE_TODO"})  # fmt: skip
    decisions: list[str] = []
    token = ""
    while True:
        page = call("MemoryService.ListMemories", memory_types=["MEMORY_TYPE_DECISION"],
                    page_size=2, page_token=token)  # fmt: skip
        decisions += contents(page["memories"])
        token = page["next_page_token"]
        if not token:
            break
    assert decisions == [f"Decision number {number}" for number in (4, 3, 2, 1, 0)]
    found = call("VectorService.Search", query="decision number 3", limit=1)["hits"]
    memory_id = found[0]["memory"]["memory_id"]
    assert found[0]["memory"]["metadata"] == {"round": 3}
    update = {
        "memory": {
            "user_id": user_id,
            "memory_id": memory_id,
            "content": "Decision three, amended",
        },
        "update_mask": "content",
    }
    amended = gateway.call("MemoryService.UpdateMemory", update)["memory"]
    assert (amended["revision"], amended["content"]) == (2, "Decision three, amended")
    assert amended["metadata"] == {"round": 3}
    assert call("MemoryService.DeleteMemory", memory_id=memory_id)["deleted"] is True
    assert call("MemoryService.DeleteMemory", memory_id=memory_id)["deleted"] is False
    assert "Decision three, amended" not in contents(call("MemoryService.ListMemories")["memories"])
    assert call("MemoryService.GetMemory", memory_id=memory_id)["memory"]["retracted_at"]
    revisions = call("MemoryService.ListMemoryRevisions", memory_id=memory_id)["revisions"]
    assert contents(revisions) == ["Decision number 3", "Decision three, amended"]


def test_the_same_text_has_the_same_vector(gateway: Gateway) -> None:
    texts = {"texts": ["a sentence to be cached", "another"]}
    first = gateway.call("VectorService.Embed", texts)
    again = gateway.call("VectorService.Embed", texts)
    assert first["embeddings"] == again["embeddings"]
    assert first["dimension"] == len(first["embeddings"][0]["values"]) == 384
    norm = math.sqrt(sum(value * value for value in first["embeddings"][0]["values"]))
    assert norm == pytest.approx(1, abs=1e-3)


@pytest.mark.feature("N06")
@pytest.mark.feature("N20")
def test_a_digest_finds_what_recurs_and_a_second_one_adds_nothing(call: Call) -> None:
    # Not by itself in the midst of it.
    settings = {"reflection_interval": 0}
    call("AccountService.UpdateSettings", settings=settings, update_mask="reflectionInterval")
    for day in range(1, 6):
        say(call, f"I met Ines at the harbour on {day} March, it was wonderful!",
            said_at=f"2026-03-0{day}T12:00:00Z")  # fmt: skip
        say(call, f"My boss shouted at me again about report {day}, I hate that job.",
            said_at=f"2026-03-0{day}T18:00:00Z")  # fmt: skip
    for thing in ("lamp", "kettle", "carpet", "clock", "mirror", "shelf", "vase", "bench", "stove",
                  "blanket", "teapot", "ladder"):  # fmt: skip
        say(call, f"I bought a {thing} for the kitchen.", said_at="2026-03-02T08:00:00Z")
    settle(call)
    first = call("ReflectService.Digest", batch_size=200)
    assert first["memories_analyzed"] > 5
    assert first["insights_generated"] == len(first["insights"]) >= 1
    known = {
        each["memory_id"] for each in call("MemoryService.ListMemories", page_size=200)["memories"]
    }
    for insight in first["insights"]:
        assert insight["category"] in ("pattern", "summary")
        assert set(insight["source_memory_ids"]) <= known
        assert insight["memory_id"] in known
    assert any("Ines" in each["content"] for each in first["insights"])
    profile = call("ReflectService.GetEmotionProfile")["emotion_profile"]
    assert profile == first["emotion_profile"]
    assert -1 <= profile["valence_avg"] <= 1
    assert int(profile["source_count"]) >= 5
    assert profile["latest_state"]
    assert profile["latest_state_period"] == "2026-W10"
    second = call("ReflectService.Digest")
    assert (second["insights_generated"], second["memories_analyzed"]) == (0, 0)
    assert second["emotion_profile"] == profile
    recalled = call("RecallService.Recall", query="Ines", memory_types=["MEMORY_TYPE_INSIGHT"])
    assert any("Ines" in each["content"] for each in recalled["merged"])


@pytest.mark.feature("N19")
def test_two_users_of_a_tenant_share_nothing(gateway: Gateway, user_id: str) -> None:
    for name in ("a", "b"):
        memory = {"content": f"The secret of {name}"}
        request = {"user_id": f"{user_id}-{name}", "memory": memory}
        gateway.call("MemoryService.AddMemory", request)
    answer = gateway.call("RecallService.Recall", {"user_id": f"{user_id}-a", "query": "secret"})
    assert contents(answer["merged"]) == ["The secret of a"]
    assert gateway.rest(
        rpc("RecallService.Recall"), {"user_id": user_id, "query": "secret"}, gateway.tenant.api_key
    ).json()["merged"] == []  # fmt: skip
