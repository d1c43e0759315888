"""Facts about what a text names, and paths between nodes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from services.graph.mentions import longest, mentions, names_the_user
from services.graph.paths import MAX_EDGES, MAX_EDGES_OF_NODE, find_routes
from services.storage.graph_reads import Link
from services.storage.relations import NodeKey
from tests.conftest import TestDatabase
from tests.service.graph_world import (
    GraphCaller,
    GraphService,
    edge,
    graph_service,
    node,
    triple,
    year,
)


@pytest.fixture
async def service(test_database: TestDatabase) -> AsyncIterator[GraphService]:
    async with graph_service(test_database) as service:
        yield service


@pytest.fixture
def alice(service: GraphService) -> GraphCaller:
    return service.alice


async def knows(alice: GraphCaller, *pairs: str) -> None:
    """Makes an edge for each "ab": a knows b."""
    await alice.state(*[triple(pair[0], "KNOWS", pair[1]) for pair in pairs])


async def test_facts_about_names(alice: GraphCaller) -> None:
    await alice.state(
        triple("Caroline", "WORKS_AT", "ORGANIZATION:Google"),
        triple("Caroline", "CUSTOM", "CONCEPT:dogs", custom_type="likes"),
        triple("Bob", "WORKS_AT", "ORGANIZATION:Google"),
        triple("Bob", "LIVES_IN", "LOCATION:New York"),
        triple("Eve", "LIVES_IN", "LOCATION:York"),
    )
    assert await alice.facts("What is Caroline's job?") == [
        "Caroline likes dogs",
        "Caroline WORKS_AT Google",
    ]
    assert await alice.facts("Does bob work at GOOGLE, or where?") == [
        "Bob WORKS_AT Google",
        "Bob LIVES_IN New York",
        "Caroline WORKS_AT Google",
    ]
    assert await alice.facts("Does bob work at GOOGLE, or where?", limit=1) == [
        "Bob WORKS_AT Google"
    ]
    assert await alice.facts("Who lives in New York?") == ["Bob LIVES_IN New York"]
    both = await alice.facts("Who lives in New York, and who in York?")
    assert both == ["Eve LIVES_IN York", "Bob LIVES_IN New York"]
    assert await alice.facts("What is it all about?") == []
    answer = await alice.call("FindFacts", query="Caroline and Google")
    assert [fact.matched_ends for fact in answer.facts] == [2, 1, 1]
    assert {each.name for each in answer.entities} == {"Caroline", "Google"}


async def test_first_person_means_the_user(alice: GraphCaller) -> None:
    await alice.state(
        triple("USER:alice", "WORKS_AT", "ORGANIZATION:Acme"),
        triple("USER:alice", "KNOWS", "Caroline"),
        triple("Caroline", "WORKS_AT", "ORGANIZATION:Globex"),
    )
    answer = await alice.call("FindFacts", query="Where do I work?")
    assert [(fact.object, fact.matched_ends) for fact in answer.facts] == [
        ("Caroline", 0),
        ("Acme", 0),
    ]
    assert [each.node_id for each in answer.entities] == ["alice"]
    assert (await alice.facts("How do I know Caroline?"))[0] == "alice KNOWS Caroline"
    assert await alice.facts("Where do you work?") == []


async def test_a_text_that_names_nobody_is_about_the_user(alice: GraphCaller) -> None:
    await alice.state(
        triple("USER:alice", "WORKS_AT", "ORGANIZATION:Acme"),
        triple("USER:alice", "LIVES_IN", "LOCATION:Zurich"),
        triple("USER:alice", "CUSTOM", "CONCEPT:chess", custom_type="plays"),
        triple("Caroline", "WORKS_AT", "ORGANIZATION:Globex"),
    )
    for query, fact in (
        ("work", "alice WORKS_AT Acme"),
        ("Where does she live?", "alice LIVES_IN Zurich"),
        ("Any plays of hers?", "alice plays chess"),
    ):
        assert await alice.facts(query) == [fact]
    answer = await alice.call("FindFacts", query="Where does she work?")
    assert [each.matched_ends for each in answer.facts] == [0]
    assert list(answer.entities) == []
    # Who is named, or spoken to, is meant; and what is only grammar says nothing.
    assert await alice.facts("Where does Caroline work?") == ["Caroline WORKS_AT Globex"]
    for query in ("Where do you work?", "你在哪里工作 work", "Who is she?", "What of the weather?"):
        assert await alice.facts(query) == [], query


async def test_facts_by_a_name_that_is_not_the_id(alice: GraphCaller) -> None:
    await alice.call("CreateNode", node=node("emp#17", name="Élodie Dupont"))
    await alice.call("CreateEdge", edge=edge("emp#17", "KNOWS", "bob"))
    for query in ("who is élodie dupont?", "Élodie Dupont’s friends", "emp 17 emp#17"):
        assert await alice.facts(query) == ["Élodie Dupont KNOWS bob"], query


async def test_facts_in_scripts_without_spaces(alice: GraphCaller) -> None:
    await alice.state(
        triple("小明", "WORKS_AT", "ORGANIZATION:北京大学"),
        triple("小红", "LIVES_IN", "LOCATION:北京"),
        triple("田中さん", "LIVES_IN", "LOCATION:서울"),
    )
    assert await alice.facts("小明在哪里工作") == ["小明 WORKS_AT 北京大学"]
    assert await alice.facts("谁在北京大学工作") == ["小明 WORKS_AT 北京大学"]
    assert await alice.facts("서울에 누가 살아요?") == ["田中さん LIVES_IN 서울"]


async def test_facts_are_true_and_of_their_time(alice: GraphCaller) -> None:
    await alice.state(triple("Caroline", "LIVES_IN", "LOCATION:Paris", valid_from=year(2001)))
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC))
    await asyncio.sleep(0.01)
    await alice.state(triple("Caroline", "LIVES_IN", "LOCATION:Berlin"))
    assert await alice.facts("Caroline") == ["Caroline LIVES_IN Berlin"]
    assert await alice.facts("Paris") == []
    assert await alice.facts("Caroline", as_of=stamp) == ["Caroline LIVES_IN Paris"]
    assert await alice.facts("Caroline", as_of=year(1999)) == []


async def test_what_connects_two_hubs_is_found(alice: GraphCaller) -> None:
    await alice.state(triple("Hub A", "MET", "Hub B"))
    for start in range(0, 1000, 500):
        await alice.state(*[triple("Hub A", "KNOWS", f"A{n}") for n in range(start, start + 500)])
        await alice.state(*[triple(f"B{n}", "KNOWS", "Hub B") for n in range(start, start + 500)])
    found = await alice.facts("How do Hub A and Hub B know each other?", limit=5)
    assert found[0] == "Hub A MET Hub B"
    assert len(found) == 5
    assert await alice.paths("hub_a", "b7") == ["hub_a-hub_b-b7"]


async def test_paths_survive_cycles_and_go_both_ways(alice: GraphCaller) -> None:
    await knows(alice, "ab", "bc", "ca", "cd", "ed", "xx")
    assert await alice.paths("a", "d") == ["a-c-d", "a-b-c-d"]
    assert await alice.paths("a", "d", max_depth=2) == ["a-c-d"]
    assert await alice.paths("a", "d", limit=1) == ["a-c-d"]
    assert await alice.paths("a", "e", max_depth=10) == ["a-c-d-e", "a-b-c-d-e"]
    assert await alice.paths("e", "a", max_depth=3) == ["e-d-c-a"]
    assert await alice.paths("a", "x", max_depth=10) == []
    assert await alice.paths("a", "nobody") == []
    assert await alice.paths("a", "a") == ["a"]


async def test_paths_use_what_is_true_at_the_time(alice: GraphCaller) -> None:
    await knows(alice, "ab", "bc")
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC))
    await asyncio.sleep(0.01)
    await alice.state(triple("b", "KNOWS", "c", valid_to=year(2001)))
    assert await alice.paths("a", "c") == []
    assert await alice.paths("a", "c", as_of=stamp) == ["a-b-c"]


async def test_parallel_edges_make_parallel_paths(alice: GraphCaller) -> None:
    await alice.state(triple("a", "KNOWS", "b"), triple("a", "COLLEAGUE", "b"))
    assert await alice.paths("a", "b") == ["a-b", "a-b"]


def _person(name: str) -> NodeKey:
    return NodeKey("PERSON", name)


class _Memory:
    """A graph given as "ab" pairs, and how much of it was looked at."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.links = [
            Link(UUID(int=number), _person(source), _person(target))
            for number, (source, target) in enumerate(pairs)
        ]
        self.near: dict[NodeKey, list[Link]] = {}
        for link in self.links:
            for end in {link.source, link.target}:
                self.near.setdefault(end, []).append(link)
        self.read = 0

    async def expand(self, nodes: Sequence[NodeKey], most: int) -> list[Link]:
        shown = [self.near.get(key, [])[:MAX_EDGES_OF_NODE] for key in nodes]
        found = [link for links in shown for link in links][:most]
        self.read += len(found)
        return found


def _all_paths(memory: _Memory, source: str, target: str, most: int) -> list[int]:
    """The lengths of all simple paths, the plain way."""
    lengths = []

    def walk(path: list[NodeKey]) -> None:
        if path[-1] == _person(target):
            lengths.append(len(path) - 1)
            return
        if len(path) > most:
            return
        for link in memory.near.get(path[-1], ()):
            other = link.target if link.source == path[-1] else link.source
            if other not in path:
                walk([*path, other])

    walk([_person(source)])
    return sorted(lengths)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("depth", [1, 2, 3, 5, 8])
async def test_every_path_is_found(seed: int, depth: int) -> None:
    # A graph that looks random but is the same each time.
    pairs = [
        (chr(97 + (seed * 7 + n * n) % 9), chr(97 + (seed + n * 5 + n // 3) % 9)) for n in range(13)
    ]
    memory = _Memory(pairs)
    ends = _person("a"), _person("e")
    routes = await find_routes(*ends, memory.expand, max_depth=depth, limit=10_000)
    assert [len(route.edge_ids) for route in routes] == _all_paths(memory, "a", "e", depth)
    assert len(set(routes)) == len(routes)


async def test_paths_through_a_hub_are_found() -> None:
    """More edges than a node shows: the other side of the search makes up for it."""
    pairs = [("hub", f"n{number}") for number in range(MAX_EDGES + 10)]
    memory = _Memory([*pairs, ("n5", "far")])
    last = f"n{MAX_EDGES + 5}"
    for source, target, length in (("far", last, 3), ("hub", last, 1), (last, "hub", 1)):
        ends = _person(source), _person(target)
        (route,) = await find_routes(*ends, memory.expand, max_depth=3, limit=5)
        assert len(route.edge_ids) == length


async def test_a_search_is_bounded() -> None:
    """Two far ends in a graph of 300,000 edges."""
    pairs = [
        (f"n{n}", f"n{(n * 7 + step) % 100_000}") for n in range(100_000) for step in (1, 2, 3)
    ]
    memory = _Memory(pairs)
    await find_routes(_person("n0"), _person("n51234"), memory.expand, max_depth=10, limit=200)
    assert 1_000 < memory.read <= MAX_EDGES


def test_stretches_that_may_be_names() -> None:
    found = {mention.name: mention.node_id for mention in mentions("Is O'Neill & Sons’ van new?")}
    assert found["O'Neill & Sons"] == "o_neill_sons"
    assert {"O'Neill", "van"} <= found.keys()
    assert "Is" not in found
    assert "Will" in {mention.name for mention in mentions("I saw Will.")}
    assert "Will" not in {mention.name for mention in mentions("Will it rain?")}
    assert {"iPhone", "小明"} <= {mention.name for mention in mentions("小明的iPhone")}
    assert len(mentions("a1 " * 2000 + "字" * 2000)) == 4000
    places = [m for m in mentions("New York York") if m.name in ("New York", "York")]
    assert [place.name for place in longest(places)] == ["New York", "York"]


_WORDS = ("I", "i'm", "James'", "O'Neill's", "Will", "the", "_a_", "'s", "x1", "we've'", "#")


@given(st.lists(st.sampled_from((*_WORDS, " ", "  ", "\n", ".", "'", "-")), max_size=14))
def test_a_text_in_ascii_is_read_like_any_other(parts: list[str]) -> None:
    text = "".join(parts)
    # A letter beyond ASCII takes the general way; it stands behind all that is compared.
    general = f"{text} é"
    assert mentions(text) == [each for each in mentions(general) if each.end <= len(text)]
    assert names_the_user(text) == names_the_user(general)


@pytest.mark.parametrize("text", ["Where do I live?", "I'm late", "MY dog", "我住在哪里", "we"])
def test_first_person(text: str) -> None:
    assert names_the_user(text)


@pytest.mark.parametrize("text", ["Where is Mimi?", "Emmy's idea", "the U.S.", "住在哪里"])
def test_no_first_person(text: str) -> None:
    assert not names_the_user(text)
