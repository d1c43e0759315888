"""Ranking profiles, and what is asked and told of a ranking: the client's side of the contract."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mnema.client import AsyncMnema, FactorStrengths, Mnema, RankingProfile, SignalWeight
from mnema.v1 import recall_service_pb2, types_pb2, vector_service_pb2
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


async def test_ranking_profiles(side: Side, script: Script) -> None:
    stored = vector_service_pb2.RankingProfile(
        name="words",
        signals={"bm25": vector_service_pb2.SignalWeight(short=1, long=0.5)},
        factors=vector_service_pb2.FactorStrengths(recency=0.25),
        fusion=vector_service_pb2.FUSION_SIGNALS,
    )
    stored.updated_at.FromDatetime(NOON)
    fused = vector_service_pb2.RankingProfile(
        name="neuromem", fusion=vector_service_pb2.FUSION_RECIPROCAL_RANKS, built_in=True
    )
    wanted = RankingProfile("words", {"bm25": SignalWeight(1, 0.5)}, FactorStrengths(0.25))
    script.on("PutRankingProfile", vector_service_pb2.PutRankingProfileResponse(profile=stored))
    script.on("GetRankingProfile", vector_service_pb2.GetRankingProfileResponse(profile=fused))
    script.on(
        "ListRankingProfiles",
        vector_service_pb2.ListRankingProfilesResponse(profiles=[fused, stored]),
    )
    script.on("DeleteRankingProfile", vector_service_pb2.DeleteRankingProfileResponse(deleted=True))
    put = await side.run(side.nm.ranking_profiles.put, wanted)
    assert put == replace(wanted, updated_at=NOON)
    stored.ClearField("updated_at")
    assert script.of("PutRankingProfile")[0].request.profile == stored
    got = await side.run(side.nm.ranking_profiles.get, "neuromem")
    assert (got.fusion, got.built_in, got.updated_at) == ("reciprocal_ranks", True, None)
    assert await side.run(side.nm.ranking_profiles.list) == [got, put]
    assert await side.run(side.nm.ranking_profiles.delete, "words") is True
    unknown: Any = "magic"
    with pytest.raises(ValueError, match="no fusion"):
        await side.run(side.nm.ranking_profiles.put, replace(wanted, fusion=unknown))


async def test_how_to_rank_is_sent_and_told(side: Side, script: Script) -> None:
    how = {"ranking_profile": "words", "time_zone": "Europe/Berlin", "explain": True}
    given: dict[str, Any] = {**how, "asked_at": NOON, "rerank": True}
    relevance = vector_service_pb2.Relevance(
        score=0.5,
        rerank_score=7,
        signals=[vector_service_pb2.SignalShare(name="bm25", value=0.5, weight=1, share=0.5)],
    )
    passage = vector_service_pb2.Passage(content="Goo", start_offset=9, end_offset=12, position=1)
    profile = vector_service_pb2.RankingProfile(name="words")
    hit = vector_service_pb2.SearchHit(
        memory=types_pb2.Memory(memory_id="m1"), relevance=relevance, passage=passage
    )
    factors = recall_service_pb2.ScoreFactors(relevance=relevance)
    merged = recall_service_pb2.MergedResult(
        source=recall_service_pb2.RESULT_SOURCE_CONVERSATION,
        id="s1",
        factors=factors,
        passage=passage,
        memory_ids=["m1"],
    )
    script.on("Search", vector_service_pb2.SearchResponse(hits=[hit], profile=profile))
    script.on("Recall", recall_service_pb2.RecallResponse(merged=[merged], profile=profile))
    found = await side.run(side.nm.search, "alice", "work", **given)
    recalled = await side.run(side.nm.recall, "alice", "work", **given)
    for name in ("Search", "Recall"):
        sent = script.of(name)[0].request
        assert {each: getattr(sent, each) for each in how} == how
        assert (sent.rerank, sent.asked_at.ToDatetime(UTC)) == (True, NOON)
    (best,) = recalled["merged"]
    for each in (found[0], best):
        assert each["factors"]["score"] == 0.5
        assert each["factors"]["rerank_score"] == 7
        (share,) = each["factors"]["signals"]
        assert share == {"name": "bm25", "value": 0.5, "weight": 1.0, "share": 0.5}
        assert each["passage"] == {
            "content": "Goo", "start_offset": 9, "end_offset": 12, "position": 1
        }  # fmt: skip
    assert best["memory_ids"] == ["m1"]
    assert found.profile.name == recalled["profile"].name == "words"
