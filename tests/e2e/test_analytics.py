"""A memory as a whole, through the gateway and the client."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from mnema.client import AsyncMnema, EdgeType, InvalidArgument, Mnema, NodeType, PermissionDenied
from services.app.local_stack import LocalStack
from services.runtime.ids import TenantId, owner_of
from tests.e2e.contract import rpc
from tests.e2e.gateway import Gateway
from tests.e2e.waiting import until

pytestmark = pytest.mark.feature("N17")

Age = Callable[[str, int], None]


@pytest.fixture
def nm(gateway: Gateway) -> Iterator[Mnema]:
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as client:
        yield client


@pytest.fixture
def age(stack: LocalStack, gateway: Gateway, user_id: str) -> Age:
    """Makes a memory older than it is: nobody can wait that long."""
    owner = owner_of(TenantId(UUID(gateway.tenant.tenant_id)), user_id)

    async def run(memory_id: str, days: int) -> None:
        connection = await asyncpg.connect(stack.postgres.access().superuser_dsn)
        for column in ("first_recorded_at", "recorded_at"):
            await connection.execute(
                f"UPDATE memories SET {column} = {column} - make_interval(days => $3)"
                " WHERE owner_id = $1 AND memory_id = $2",
                owner,
                UUID(memory_id),
                days,
            )
        await connection.close()

    return lambda memory_id, days: asyncio.run(run(memory_id, days))


def _week(moment: datetime) -> str:
    year, week, _ = moment.isocalendar()
    return f"{year}-W{week:02d}"


def test_stats_count_the_present_alone(nm: Mnema, user_id: str, age: Age) -> None:
    nothing = nm.stats(user_id)
    assert (nothing["total"], nothing["by_type"], nothing["by_week"]) == (0, {}, [])
    assert nothing["profile_summary"] is None
    nm.add_memory(user_id, "Lives in Bergen", "fact", slot="nora/city")
    nm.add_memory(user_id, "Likes coffee", "preference")
    old = nm.add_memory(user_id, "Sailed to Oslo", "episodic")
    gone = nm.add_memory(user_id, "Is a pirate", "fact")
    before = datetime.now(UTC)
    nm.add_memory(user_id, "Lives in Oslo", "fact", slot="nora/city")
    nm.memories.delete(user_id, gone.id)
    age(old.id, 21)
    nm.graph.create_edge(
        NodeType.USER, user_id, EdgeType.WORKS_AT, NodeType.ORGANIZATION, "harbour_labs"
    )
    nm.kv.set(user_id, "profile", "occupation", "chemist")
    nm.files.create_from_text(user_id, title="Notes", content="The ferry leaves at nine.")
    now = datetime.now(UTC)
    stats = nm.stats(user_id)
    assert stats["total"] == 3
    assert stats["by_type"] == {"fact": 1, "preference": 1, "episodic": 1}
    assert stats["by_week"] == [
        {"week": _week(now - timedelta(days=21)), "count": 1},
        {"week": _week(now), "count": 2},
    ]
    assert (stats["graph_nodes"], stats["active_entities"], stats["graph_edges"]) == (2, 1, 1)
    assert (stats["documents"], stats["messages"], stats["sessions"]) == (1, 0, 0)
    summary = stats["profile_summary"]
    assert summary is not None
    assert summary["profile"] == {"occupation": "chemist"}
    assert summary["emotion_profile"] is None
    # As it was before: the slot's old holder and what was deleted since.
    past = nm.stats(user_id, as_of=before)
    assert past["by_type"] == {"fact": 2, "preference": 1, "episodic": 1}
    assert (past["graph_nodes"], past["documents"], past["profile_summary"]) == (0, 0, None)
    assert [each["count"] for each in nm.stats(user_id, weeks=1)["by_week"]] == [2]


def test_stats_tell_of_messages_moods_and_insights(nm: Mnema, user_id: str) -> None:
    for content in ("I work at Harbour Labs.", "I was so happy, I won the race!"):
        nm.ingest(user_id, "user", content, session_id="s")
    nm.wait_until_extracted(user_id, timeout=90)
    nm.digest(user_id)
    stats = nm.stats(user_id)
    assert (stats["messages"], stats["sessions"]) == (2, 1)
    assert stats["total"] == sum(stats["by_type"].values()) == len(nm.memories.list(user_id))
    assert set(stats["pending"].values()) == {0}
    assert stats["active_entities"] > 0
    summary = stats["profile_summary"]
    assert summary is not None
    assert summary["emotion_profile"] is not None
    assert summary["last_reflected_at"] is not None
    assert summary["insight_count"] == stats["by_type"].get("insight", 0)


def test_a_taste_that_was_told_counts_and_is_found_as_a_fact(nm: Mnema, user_id: str) -> None:
    nm.ingest(user_id, "user", "I like coffee and I prefer dark mode.")
    nm.wait_until_extracted(user_id, timeout=90)
    tastes = {"Likes coffee.", "Prefers dark mode."}
    assert nm.stats(user_id)["by_type"] == {"fact": 2}
    found = nm.recall(user_id, "coffee or dark mode?", memory_type="fact")["vector_results"]
    assert {each["content"] for each in found} == tastes
    listed = nm.memories.list(user_id, category="preference")
    assert {each.content for each in listed} == tastes


def test_cold_memories_are_those_that_recall_left_alone(nm: Mnema, user_id: str, age: Age) -> None:
    contents = ("The tent is in the cellar", "The spare key hangs in the shed", "Tea at five")
    tent, key, tea = (nm.add_memory(user_id, content) for content in contents)
    gone = nm.add_memory(user_id, "The boat is sold")
    for memory, days in ((tent, 200), (key, 100), (gone, 300)):
        age(memory.id, days)
    nm.memories.delete(user_id, gone.id)
    cold = nm.cold_memories(user_id, threshold_days=90, limit=50)
    assert [each["id"] for each in cold] == [tent.id, key.id]
    assert (cold[0]["content"], cold[0]["access_count"]) == (tent.content, 0)
    assert cold[0]["last_accessed_at"] is None
    assert [each["id"] for each in nm.cold_memories(user_id)] == [tent.id, key.id]
    assert [each["id"] for each in nm.cold_memories(user_id, 150)] == [tent.id]
    every = [each["id"] for each in nm.cold_memories(user_id, 0)]
    assert every == [tent.id, key.id, tea.id]
    assert [each["id"] for each in nm.cold_memories(user_id, 0, limit=1)] == [tent.id]
    # Recalled, it is no longer cold; it is counted a moment later.
    nm.recall(user_id, "Where is the tent?", limit=1)
    until(lambda: [each["id"] for each in nm.cold_memories(user_id)], lambda ids: ids == [key.id])
    last = nm.cold_memories(user_id, 0)[-1]
    assert (last["id"], last["access_count"]) == (tent.id, 1)


def test_cold_memories_go_on_from_page_to_page(gateway: Gateway, nm: Mnema, user_id: str) -> None:
    added = [nm.add_memory(user_id, f"Thing {number}").id for number in range(5)]
    asked: dict[str, Any] = {"user_id": user_id, "threshold_days": 0, "page_size": 2}
    seen: list[str] = []
    token = ""
    for _ in range(3):
        page = gateway.call("AnalyticsService.ListColdMemories", {**asked, "page_token": token})
        seen += [each["memory_id"] for each in page["memories"]]
        token = page["next_page_token"]
    assert (seen, token) == (added, "")


def test_an_entity_is_found_by_its_whole_name(nm: Mnema, user_id: str) -> None:
    for content in (
        "Ann plays the cello",
        "Anna plays the harp",
        "The annual fair is in May",
        "ANN's brother is a pilot",
        "昨天和张伟去了北京",
    ):
        nm.add_memory(user_id, content, "fact")
    nm.ingest(user_id, "user", "I saw Ann yesterday, and Joann.", session_id="s")
    nm.ingest(user_id, "user", "I saw Anna today.", session_id="s")
    profile = nm.entity_profile(user_id, entity="ann")
    assert profile["entity"] == "ann"
    found = {each["content"] for each in profile["facts"]}
    assert {"Ann plays the cello", "ANN's brother is a pilot"} <= found
    assert not {each for each in found if "Anna" in each or "annual" in each}
    assert [each["content"] for each in profile["conversations"]] == [
        "I saw Ann yesterday, and Joann."
    ]
    (chinese,) = nm.entity_profile(user_id, "张伟")["facts"]
    assert chinese["content"] == "昨天和张伟去了北京"
    nobody = nm.entity_profile(user_id, "Xerxes")
    assert [nobody[key] for key in ("facts", "graph_relations", "conversations", "timeline")] == [
        [],
        [],
        [],
        [],
    ]


def test_names_that_no_index_holds_are_found(nm: Mnema, user_id: str) -> None:
    """A word of grammar, and a single character."""
    nm.add_memory(user_id, "Will sails every week", "fact")
    nm.add_memory(user_id, "Willow grows by the river", "fact")
    nm.add_memory(user_id, "李在北京", "fact")
    assert [each["content"] for each in nm.entity_profile(user_id, "Will")["facts"]] == [
        "Will sails every week"
    ]
    assert len(nm.entity_profile(user_id, "李")["facts"]) == 1


def test_an_entity_is_found_by_what_the_graph_calls_it(nm: Mnema, user_id: str) -> None:
    nm.graph.create_node(
        NodeType.ORGANIZATION, "hl", properties={"name": "hl"}, name="Harbour Labs", user_id=user_id
    )
    nm.graph.create_edge(
        NodeType.USER, user_id, EdgeType.WORKS_AT, NodeType.ORGANIZATION, "hl", user_id=user_id
    )
    nm.add_memory(user_id, "Harbour Labs makes sensors", "fact")
    nm.add_memory(user_id, "HL moved to Bergen", "fact")
    nm.add_memory(user_id, "Harbour tours are dull", "fact")
    for entity in ("hl", "harbour labs", "Harbour  Labs"):
        profile = nm.entity_profile(user_id, entity)
        assert {each["content"] for each in profile["facts"]} == {
            "Harbour Labs makes sensors",
            "HL moved to Bergen",
        }
        (relation,) = profile["graph_relations"]
        assert (relation["relation"], relation["object"]) == ("WORKS_AT", "Harbour Labs")
    assert {name.casefold() for name in profile["names"]} >= {"hl"}


def test_an_entity_is_seen_at_present_or_as_it_was(nm: Mnema, user_id: str) -> None:
    for content in ("I work at Google.", "Google has a good canteen."):
        nm.ingest(user_id, "user", content, session_id="s")
    nm.wait_until_extracted(user_id, timeout=90)
    before = datetime.now(UTC)
    profile = nm.entity_profile(user_id, entity="Google")
    assert profile["facts"]
    assert [each["relation"] for each in profile["graph_relations"]] == ["WORKS_AT"]
    assert len(profile["conversations"]) == 2
    times = [each["time"] for each in profile["timeline"]]
    assert times == sorted(times)
    assert {each["type"] for each in profile["timeline"]} == {"memory", "conversation", "graph"}
    nm.ingest(user_id, "user", "I work at Apple now.", session_id="s")
    nm.wait_until_extracted(user_id, timeout=90)
    left = nm.entity_profile(user_id, "Google")
    assert left["graph_relations"] == []
    past = nm.entity_profile(user_id, "Google", as_of=before)
    assert [each["id"] for each in past["facts"]] == [each["id"] for each in profile["facts"]]
    assert [each["relation"] for each in past["graph_relations"]] == ["WORKS_AT"]
    gone = {each["id"] for each in past["facts"]} - {each["id"] for each in left["facts"]}
    assert gone, "the slot's old holder is not the present view"


def test_an_entity_profile_is_bounded_and_checked(nm: Mnema, user_id: str) -> None:
    for number in range(12):
        nm.add_memory(user_id, f"Google did thing {number}")
    few = nm.entity_profile(user_id, "Google", limit=3)
    assert [each["content"] for each in few["facts"]] == [
        f"Google did thing {number}" for number in (11, 10, 9)
    ]
    with pytest.raises(InvalidArgument) as blank:
        nm.entity_profile(user_id, "   ")
    assert blank.value.reason == "FIELD_REQUIRED"
    with pytest.raises(InvalidArgument):
        nm.entity_profile(user_id, "Google", limit=201)


@pytest.mark.feature("N11")
def test_the_embedding_cache_is_cleared_on_demand(gateway: Gateway, nm: Mnema) -> None:
    text = "A text that nobody else embeds 7f3a"
    nm.embed([text])
    nm.embed([text])
    held = nm.clear_embedding_cache()
    assert 0 < held["entries"] <= held["capacity"]
    assert held["hits"] > 0
    assert held["model"]
    nm.embed([text])
    assert nm.clear_embedding_cache()["misses"] > held["misses"]
    # An admin's key may, a user's may not.
    gateway.call("VectorService.ClearEmbeddingCache", {}, gateway.admin_key)
    with (
        Mnema(gateway.address, api_key=gateway.new_user_key("bob")) as bob,
        pytest.raises(PermissionDenied) as refused,
    ):
        bob.clear_embedding_cache()
    assert refused.value.reason == "TENANT_KEY_REQUIRED"
    over_rest = gateway.rest(rpc("VectorService.ClearEmbeddingCache"), {}, gateway.tenant.api_key)
    assert over_rest.is_success


@pytest.mark.feature("N11")
async def test_clearing_need_not_be_awaited(gateway: Gateway) -> None:
    """As in neuromem, where it is no coroutine."""
    async with AsyncMnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        await nm.embed(["One more text that nobody else embeds"])
        begun = nm.clear_embedding_cache()
    assert begun.done()
    assert begun.result()["entries"] >= 1
    async with AsyncMnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        assert (await nm.clear_embedding_cache())["capacity"] > 0
