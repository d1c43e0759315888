"""Ranking profiles, explanations and passages, through the gateway."""

from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.contract import rpc
from tests.e2e.gateway import Gateway
from tests.e2e.waiting import until

pytestmark = [pytest.mark.feature("N05"), pytest.mark.feature("X05")]

LONG = " ".join(f"On day {day} of the trip nothing of note was seen." for day in range(900))


@pytest.fixture
def nora(gateway: Gateway, user_id: str) -> str:
    """A user who has said some things, all of them extracted."""
    for content in (
        "I live in Bergen.",
        "I like strong coffee.",
        "My sister Anna lives in Oslo.",
        f"{LONG} Then a narwhal surfaced beside the old ferry. {LONG}",
    ):
        message = {"role": "user", "speaker": "Nora", "session_id": "s", "content": content}
        gateway.call("IngestService.Ingest", {"user_id": user_id, **message})
    until(
        lambda: gateway.call("IngestService.GetIngestStatus", {"user_id": user_id}),
        lambda status: not any(int(status[each]) for each in status),
    )
    return user_id


def recall(gateway: Gateway, user_id: str, query: str, **fields: Any) -> dict[str, Any]:
    asked = {"user_id": user_id, "query": query, "include_conversations": True, **fields}
    answer: dict[str, Any] = gateway.call("RecallService.Recall", asked)
    assert not answer["degraded"]
    return answer


def _scored(result: dict[str, Any], strengths: dict[str, float]) -> float:
    """The score of a result, worked out from what the answer says."""
    factors = result["factors"]
    score = float(factors["relevance"]["score"])
    for name in ("recency", "importance", "graph_boost"):
        strength = strengths.get(name, 0.0)
        score *= 1 - strength + strength * factors[name]
    return score


@pytest.mark.parametrize("name", ["", "neuromem", "own"])
def test_every_score_can_be_worked_out_from_its_profile(
    gateway: Gateway, nora: str, name: str
) -> None:
    if name == "own":
        name = f"own-{uuid4().hex[:8]}"
        profile = {
            "name": name,
            "signals": {"bm25": {"short": 1, "long": 1}, "similarity": {"short": 1, "long": 0.5}},
            "factors": {"recency": 0.25, "importance": 0.5, "graph_boost": 0.75},
        }
        gateway.call("VectorService.PutRankingProfile", {"profile": profile})
    answer = recall(gateway, nora, "Where does Nora live?", ranking_profile=name, explain=True)
    applied = answer["profile"]
    assert applied["name"] == name or (applied["name"], name) == ("default", "")
    results = [*answer["vector_results"], *answer["conversation_results"]]
    assert len(results) > 3
    for each in results:
        relevance = each["factors"]["relevance"]
        assert each["score"] == pytest.approx(_scored(each, applied["factors"]))
        shares = relevance.get("signals", [])
        if applied["fusion"] == "FUSION_RECIPROCAL_RANKS":
            assert relevance["score"] == relevance["rrf"]
            assert shares == []
            continue
        assert {share["name"] for share in shares} <= set(applied["signals"])
        assert relevance["score"] == pytest.approx(
            max(0.0, sum(share.get("share", 0.0) for share in shares)), abs=1e-6
        )
    assert "Bergen" in answer["merged"][0]["content"]


def test_no_two_results_say_the_same(gateway: Gateway, nora: str) -> None:
    answer = recall(gateway, nora, "Where does Nora live?")
    sources = {
        each["memory"]["memory_id"]: each["memory"]["source_message_ids"]
        for each in answer["vector_results"]
    }
    ids = [each["id"] for each in answer["merged"]]
    joined = [name for each in answer["merged"] for name in each.get("memory_ids", [])]
    assert len(ids) == len(set(ids))
    assert not set(ids) & set(joined)
    for name in set(ids) & set(sources):
        both = set(sources[name]) & set(ids)
        # A message stands beside a memory of it only where another memory stands before both.
        assert both < set(sources[name]) or not both
    said = {each["message"]["message_id"] for each in answer["conversation_results"]}
    shown = {name for each in answer["merged"] for name in each.get("source_message_ids", [])}
    assert said <= shown  # what was joined is named
    assert set(sources) <= set(ids) | set(joined)


def test_a_long_message_is_found_by_its_passage(gateway: Gateway, nora: str) -> None:
    answer = recall(gateway, nora, "narwhal beside the ferry")
    best = answer["conversation_results"][0]
    passage = best["passage"]
    assert "a narwhal surfaced beside the old ferry" in passage["content"]
    assert len(passage["content"]) == passage["end_offset"] - passage["start_offset"] <= 900
    assert passage["position"] > 10
    # So long a message is not sent as a whole; it can be asked for.
    assert best["message"]["content"] == passage["content"]
    asked = {"user_id": nora, "message_id": best["message"]["message_id"]}
    whole = gateway.call("ConversationService.GetMessage", asked)["message"]["content"]
    assert whole[passage["start_offset"] : passage["end_offset"]] == passage["content"]


def test_profiles_over_rest(gateway: Gateway) -> None:
    key, name = gateway.tenant.api_key, f"rest-{uuid4().hex[:8]}"
    put, get = rpc("VectorService.PutRankingProfile"), rpc("VectorService.GetRankingProfile")
    profile = {"name": name, "fusion": "FUSION_RECIPROCAL_RANKS", "factors": {"recency": 1}}
    stored = gateway.rest(put, {"profile": profile}, key)
    assert stored.status_code == 200, stored.text
    assert str(stored.request.url).endswith(f"/v1/ranking-profiles/{name}")
    assert gateway.rest(get, {"name": name}, key).json() == stored.json()
    refused = gateway.rest_failure(put, {"profile": {**profile, "name": "default"}}, key)
    assert refused is not None
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "RANKING_PROFILE_BUILT_IN")


def test_what_recall_is_asked_by_must_be_there(gateway: Gateway, nora: str) -> None:
    asked = {"user_id": nora, "query": "coffee"}
    method, key = rpc("RecallService.Recall"), gateway.tenant.api_key
    for fields, expected in (
        ({"ranking_profile": "no-such"}, ("NOT_FOUND", "RESOURCE_NOT_FOUND")),
        ({"time_zone": "Mars/Olympus"}, ("INVALID_ARGUMENT", "FIELD_MALFORMED")),
    ):
        failure = gateway.failure(method, [method.request_of({**asked, **fields})], key)
        assert failure is not None
        assert (failure.code, failure.reason) == expected
    # Nothing reranks in this stack: the answer says so, and comes all the same.
    answer = gateway.call("RecallService.Recall", {**asked, "rerank": True})
    assert [each["arm"] for each in answer["degraded_arms"]] == ["rerank"]
    assert any("coffee" in each["content"] for each in answer["merged"])
