"""Ranking profiles over a real channel: kept, refused, and searched by."""

from typing import Any

import grpc
import pytest

from mnema.v1 import memory_service_pb2 as memory_pb
from mnema.v1 import vector_service_pb2 as pb
from mnema.v1.types_pb2 import Memory
from mnema.v1.vector_service_pb2_grpc import VectorServiceStub
from services.runtime.context import act_for
from services.runtime.scope import Scope
from services.storage import accounts
from services.vector.profiles import Profiles
from services.vector.ranking.profile import BUILT_IN, SIGNALS, Profile, Weight
from tests.conftest import TestDatabase
from tests.service.vector_world import DOWN, USER, World, refused, vector_world

CODE = grpc.StatusCode
WORDS = {"bm25": pb.SignalWeight(short=2.0, long=2.0)}


async def put(world: World, name: str, **fields: Any) -> pb.RankingProfile:
    profile = pb.RankingProfile(name=name, **{"signals": WORDS, **fields})
    request = pb.PutRankingProfileRequest(profile=profile)
    response: pb.PutRankingProfileResponse = await world.vector.PutRankingProfile(request)
    return response.profile


async def listed(world: World) -> list[str]:
    response = await world.vector.ListRankingProfiles(pb.ListRankingProfilesRequest())
    return [each.name for each in response.profiles]


async def add(world: World, content: str) -> Memory:
    request = memory_pb.AddMemoryRequest(user_id=USER, memory=Memory(content=content))
    response: memory_pb.AddMemoryResponse = await world.memories.AddMemory(request)
    return response.memory


async def test_profiles_are_kept_for_the_tenant(test_database: TestDatabase) -> None:
    factors = pb.FactorStrengths(recency=0.5, importance=1, graph_boost=0)
    async with vector_world(test_database, DOWN) as world:
        stored = await put(world, "z-words", factors=factors, description="Words alone.")
        await put(world, "a_words")
        assert await listed(world) == [*sorted(BUILT_IN), "a_words", "z-words"]
        got = await world.vector.GetRankingProfile(pb.GetRankingProfileRequest(name="z-words"))
        async with world.another_tenant() as other:
            assert await listed(other) == sorted(BUILT_IN)
        delete = pb.DeleteRankingProfileRequest(name="a_words")
        first = await world.vector.DeleteRankingProfile(delete)
        again = await world.vector.DeleteRankingProfile(delete)
        gone = await refused(world.vector.GetRankingProfile(pb.GetRankingProfileRequest(name="no")))
        assert await listed(world) == [*sorted(BUILT_IN), "z-words"]
    assert got.profile == stored
    assert (stored.name, stored.description, stored.factors) == ("z-words", "Words alone.", factors)
    assert dict(stored.signals) == WORDS
    assert (stored.fusion, stored.built_in) == (pb.FUSION_SIGNALS, False)
    assert stored.HasField("updated_at")
    assert (first.deleted, again.deleted) == (True, False)
    assert gone[:2] == (CODE.NOT_FOUND, "RESOURCE_NOT_FOUND")
    assert gone[2] == {"resource_type": "ranking_profile", "resource_name": "no"}


async def test_built_in_profiles_are_read_only(test_database: TestDatabase) -> None:
    async with vector_world(test_database, DOWN) as world:
        for name in BUILT_IN:
            got = await world.vector.GetRankingProfile(pb.GetRankingProfileRequest(name=name))
            assert got.profile.built_in
            assert got.profile.description
            expected = (CODE.FAILED_PRECONDITION, "RANKING_PROFILE_BUILT_IN", {"name": name})
            assert await refused(put(world, name)) == expected
            delete = pb.DeleteRankingProfileRequest(name=name)
            assert await refused(world.vector.DeleteRankingProfile(delete)) == expected


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"name": ""}, "profile.name", "FIELD_REQUIRED"),
        ({"name": "Words"}, "profile.name", "FIELD_MALFORMED"),
        ({"name": "-words"}, "profile.name", "FIELD_MALFORMED"),
        ({"name": "w" * 64}, "profile.name", "FIELD_MALFORMED"),
        ({"signals": {}}, "profile.signals", "FIELD_REQUIRED"),
        ({"signals": {"nose": pb.SignalWeight()}}, "profile.signals['nose']", "INVALID_FIELD"),
        (
            {"signals": {"bm25": pb.SignalWeight(short=101)}},
            "profile.signals['bm25'].short",
            "FIELD_OUT_OF_RANGE",
        ),
        (
            {"signals": {"bm25": pb.SignalWeight(long=float("nan"))}},
            "profile.signals['bm25'].long",
            "FIELD_OUT_OF_RANGE",
        ),
        (
            {"factors": pb.FactorStrengths(importance=1.1)},
            "profile.factors.importance",
            "FIELD_OUT_OF_RANGE",
        ),
        ({"fusion": pb.FUSION_RECIPROCAL_RANKS}, "profile.signals", "INVALID_FIELD"),
    ],
)
async def test_what_is_no_profile_is_refused(
    test_database: TestDatabase, fields: dict[str, Any], field: str, reason: str
) -> None:
    async with vector_world(test_database, DOWN) as world:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await put(world, **{"name": "words", **fields})
        assert await listed(world) == sorted(BUILT_IN)
    assert raised.value.code() == CODE.INVALID_ARGUMENT
    details = raised.value.details() or ""
    assert details.startswith(f"{field}: ")
    if "nose" in field or not fields.get("signals", True):
        assert all(name in details for name in SIGNALS)


async def test_a_users_key_reads_and_changes_nothing(test_database: TestDatabase) -> None:
    async with vector_world(test_database, DOWN) as world:
        await put(world, "words")
        async with world.database.transaction(Scope(world.tenant_id)) as connection:
            _, key = await accounts.create_key(
                connection, accounts.NewKey("user", world.tenant_id, USER)
            )
        metadata = (("x-api-key", key),)
        async with grpc.aio.insecure_channel(world.address) as channel:
            stub: Any = VectorServiceStub(channel)
            seen = await stub.ListRankingProfiles(
                pb.ListRankingProfilesRequest(), metadata=metadata
            )
            ask = pb.SearchRequest(user_id=USER, query="tea", ranking_profile="words")
            assert (await stub.Search(ask, metadata=metadata)).profile.name == "words"
            change = pb.DeleteRankingProfileRequest(name="words")
            no = await refused(stub.DeleteRankingProfile(change, metadata=metadata))
        assert await listed(world) == [*sorted(BUILT_IN), "words"]
    assert [each.name for each in seen.profiles] == [*sorted(BUILT_IN), "words"]
    assert no[:2] == (CODE.PERMISSION_DENIED, "TENANT_KEY_REQUIRED")


async def test_searches_are_ranked_by_their_profile(test_database: TestDatabase) -> None:
    async with vector_world(test_database) as world:
        for content in ("tea with milk", "a hot beverage", "tea"):
            await add(world, content)
        await put(world, "words")
        await put(world, "nearness", signals={"similarity": pb.SignalWeight(short=1, long=1)})
        words = await world.search("tea", ranking_profile="words", explain=True)
        nearness = await world.search("tea", ranking_profile="nearness", explain=True)
        plain = await world.search("tea")
        fused = await world.search("tea", ranking_profile="neuromem")
        unknown = await refused(world.search("tea", ranking_profile="mine"))
    assert (words.profile.name, dict(words.profile.signals)) == ("words", WORDS)
    assert (plain.profile.name, fused.profile.name) == ("default", "neuromem")
    for answer, signal in ((words, "bm25"), (nearness, "similarity")):
        scores = [hit.relevance.score for hit in answer.hits]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > 0
        for hit in answer.hits:
            (share,) = hit.relevance.signals
            assert share.name == signal
            assert share.share == pytest.approx(share.value * share.weight)
            assert hit.relevance.score == pytest.approx(max(0.0, share.share))
    assert not any(hit.relevance.signals for hit in plain.hits)
    assert all(hit.relevance.score == hit.relevance.rrf for hit in fused.hits)
    assert unknown[:2] == (CODE.NOT_FOUND, "RESOURCE_NOT_FOUND")


async def test_a_change_is_known_in_another_process_after_a_while(
    test_database: TestDatabase,
) -> None:
    async with vector_world(test_database, DOWN) as world:
        scope = Scope(world.tenant_id)
        here = Profiles(world.database, keep_seconds=3600)
        there = Profiles(world.database, keep_seconds=0)
        first = Profile("p", signals={"bm25": Weight(1, 1)})
        second = Profile("p", signals={"bm25": Weight(2, 2)})
        with act_for(world.tenant_id):
            await here.put(scope, first)
            assert (await there.for_search(scope, "p")).profile == first
            await there.put(scope, second)
            assert (await here.for_search(scope, "p")).profile == first  # kept as long
            assert (await here.get(scope, "p")).profile == second
            assert (await here.for_search(scope, "p")).profile == second


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "Europe", "+02:00"])
async def test_a_time_zone_must_be_one(test_database: TestDatabase, zone: str) -> None:
    async with vector_world(test_database, DOWN) as world:
        await world.search("tea", time_zone="Europe/Berlin")
        code, reason, metadata = await refused(world.search("tea", time_zone=zone))
    assert (code, reason) == (CODE.INVALID_ARGUMENT, "FIELD_MALFORMED")
    assert metadata["field"] == "time_zone"


async def test_a_long_memory_shows_the_passage_that_fits(test_database: TestDatabase) -> None:
    filler = "The weather was mild and nothing much happened on that day. " * 40
    content = f"{filler}The zebra ate all of the marmalade. {filler}"
    async with vector_world(test_database, DOWN) as world:
        await add(world, content)
        await add(world, "A zebra is striped.")
        answer = await world.search("zebra marmalade")
    by_content = {hit.memory.content: hit for hit in answer.hits}
    assert not by_content["A zebra is striped."].HasField("passage")
    passage = by_content[content].passage
    assert "zebra ate all of the marmalade" in passage.content
    assert content[passage.start_offset : passage.end_offset] == passage.content
    assert len(passage.content) <= 900
    assert passage.position > 0
