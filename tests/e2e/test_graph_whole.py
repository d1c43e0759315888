"""The graph's whole vocabulary and its bounds, through the gateway and the client."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from mnema.client import EdgeType, Mnema, NodeType, Triple
from services.app.local_stack import LocalStack
from services.runtime.ids import TenantId, owner_of
from tests.e2e.gateway import Gateway

pytestmark = pytest.mark.feature("N15")

SINGLE_VALUED = {
    EdgeType.WORKS_AT,
    EdgeType.LIVES_IN,
    EdgeType.BORN_IN,
    EdgeType.LOCATED_IN,
    EdgeType.OCCURRED_AT,
    EdgeType.OCCURRED_ON,
}
HUB_EDGES = 100_000
FILL_NODES = """
INSERT INTO graph_nodes (owner_id, node_type, node_id, name, name_id)
SELECT $1, 'PERSON', 'friend_' || n, 'Friend ' || n, 'friend_' || n FROM generate_series(1, $2) AS n
"""
FILL_EDGES = """
INSERT INTO graph_edges (
    owner_id, edge_id, source_type, source_id, edge_type, target_type, target_id)
SELECT $1, gen_random_uuid(), 'PERSON', 'hub', 'KNOWS', 'PERSON', 'friend_' || n
FROM generate_series(1, $2) AS n
"""


@pytest.fixture
def nm(gateway: Gateway, user_id: str) -> Iterator[Mnema]:
    with Mnema(gateway.address, api_key=gateway.tenant.api_key, default_user=user_id) as client:
        yield client


def person(subject: str, relation: EdgeType, target: str, **fields: object) -> Triple:
    return Triple(NodeType.PERSON, subject, relation, NodeType.ENTITY, target, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", NodeType)
def test_every_type_of_node(nm: Mnema, user_id: str, kind: NodeType) -> None:
    properties = {"since": 2023, "nested": {"list": [1, None, "x"]}, "flag": False}
    made = nm.graph.create_node(kind, "thing", properties=properties, user_id=user_id)
    found = nm.graph.get_node(user_id, kind, "thing")
    assert (found.node_type, found.node_id, found.properties) == (kind, "thing", properties)
    changed = nm.graph.update_node(
        kind, "thing", properties={"since": None, "age": 31}, user_id=user_id
    )
    assert changed.properties == {"nested": {"list": [1, None, "x"]}, "flag": False, "age": 31}
    assert [each.node_id for each in nm.graph.list_nodes(user_id, kind)] == ["thing"]
    assert made.created_at == changed.created_at
    assert nm.graph.delete_node(kind, "thing", user_id=user_id)
    assert nm.graph.list_nodes(user_id, kind) == []


def test_every_type_of_edge_with_its_properties(nm: Mnema, user_id: str) -> None:
    assert (len(NodeType), len(EdgeType)) == (9, 23)
    for number, relation in enumerate(EdgeType):
        nm.graph.create_edge(
            NodeType.USER,
            user_id,
            relation,
            NodeType.ENTITY,
            f"thing_{number}",
            properties={"number": number},
            custom_type="admires" if relation is EdgeType.CUSTOM else None,
        )
    near = nm.graph.get_neighbors(user_id, NodeType.USER, user_id, limit=50)
    assert {each.edge.edge_type: each.edge.properties["number"] for each in near} == {
        relation: number for number, relation in enumerate(EdgeType)
    }
    for number, relation in enumerate(EdgeType):
        (only,) = nm.graph.get_neighbors(
            user_id, NodeType.USER, user_id, edge_types=[relation], direction="both", limit=10
        )
        assert (only.node.node_id, only.direction) == (f"thing_{number}", "out")
    some = [EdgeType.KNOWS, EdgeType.OWNS, EdgeType.CUSTOM]
    chosen = nm.graph.get_neighbors(user_id, NodeType.USER, user_id, edge_types=some)
    assert {each.edge.edge_type for each in chosen} == set(some)
    assert nm.graph.get_neighbors(user_id, NodeType.USER, user_id, direction="in") == []
    (into,) = nm.graph.get_neighbors(user_id, NodeType.ENTITY, "thing_3", direction="in")
    assert (into.edge.edge_type, into.direction) == (EdgeType.KNOWS, "in")
    assert len(nm.graph.get_neighbors(user_id, NodeType.USER, user_id, limit=4)) == 4


@pytest.mark.parametrize("relation", EdgeType)
def test_a_new_target_closes_the_old_one_only_where_there_can_be_one(
    nm: Mnema, user_id: str, relation: EdgeType
) -> None:
    custom = "favourite city" if relation is EdgeType.CUSTOM else None
    for target, year in (("Old", 2019), ("New", 2023)):
        since = datetime(year, 1, 1, tzinfo=UTC)
        stated = nm.graph.add_triples(
            user_id, [person("Nora", relation, target, custom_type=custom, valid_from=since)]
        )
    near = nm.graph.get_neighbors(user_id, NodeType.PERSON, "nora")
    if relation not in SINGLE_VALUED:
        assert stated.closed_edges == ()
        assert {each.node.name for each in near} == {"Old", "New"}
        return
    (closed,) = stated.closed_edges
    (edge,) = stated.edges
    assert (closed.target_id, closed.closed_reason) == ("old", "superseded")
    assert closed.superseded_by == edge.id
    assert [each.node.name for each in near] == ["New"]
    if relation is EdgeType.BORN_IN:  # nobody is born twice: it was wrong all along
        assert closed.retracted_at is not None
    else:
        assert closed.valid_to == datetime(2023, 1, 1, tzinfo=UTC)
    assert nm.graph.get_edge(user_id, closed.id).superseded_by == edge.id


def test_relations_of_other_names_and_subjects_are_left_alone(nm: Mnema, user_id: str) -> None:
    nm.graph.add_triples(
        user_id,
        [
            person("Nora", EdgeType.CUSTOM, "Tea", custom_type="drinks"),
            person("Nora", EdgeType.LIVES_IN, "Bergen"),
            person("Tom", EdgeType.LIVES_IN, "Bergen"),
        ],
    )
    stated = nm.graph.add_triples(
        user_id,
        [
            person("Nora", EdgeType.CUSTOM, "Coffee", custom_type="sells"),
            person("Nora", EdgeType.LIVES_IN, "Oslo"),
        ],
    )
    assert [each.target_id for each in stated.closed_edges] == ["bergen"]
    (tom,) = nm.graph.get_neighbors(user_id, NodeType.PERSON, "tom")
    assert tom.node.name == "Bergen"
    nora = nm.graph.get_neighbors(user_id, NodeType.PERSON, "nora")
    assert {each.node.name for each in nora} == {"Tea", "Coffee", "Oslo"}


def test_paths_are_bounded_by_depth_and_limit_and_survive_cycles(nm: Mnema, user_id: str) -> None:
    # A ring of eight, and a chord that makes two ways from a to e shorter.
    ring = "abcdefgh"
    pairs = [*zip(ring, ring[1:] + ring[0], strict=True), ("a", "c")]
    for one, other in pairs:
        nm.graph.create_edge(NodeType.PERSON, one, EdgeType.COLLEAGUE, NodeType.PERSON, other)

    def between(depth: int, limit: int = 10) -> list[list[str]]:
        found = nm.graph.find_path(
            NodeType.PERSON, "a", NodeType.PERSON, "e", max_depth=depth, limit=limit
        )
        assert all(len(path.edges) == len(path.nodes) - 1 for path in found)
        return [[node.node_id for node in path.nodes] for path in found]

    assert between(2) == []
    assert between(3) == [["a", "c", "d", "e"]]
    four = between(4)
    assert four[0] == ["a", "c", "d", "e"]
    assert {tuple(path) for path in four[1:]} == {
        ("a", "b", "c", "d", "e"),
        ("a", "h", "g", "f", "e"),
    }
    lengths = [len(path) for path in between(6)]
    assert lengths == sorted(lengths)
    assert all(len(set(path)) == len(path) for path in between(6))
    assert len(between(6, limit=2)) == 2
    (same,) = nm.graph.find_path(NodeType.PERSON, "a", NodeType.PERSON, "a", max_depth=3)
    assert same.edges == ()


@pytest.fixture
def hub(stack: LocalStack, gateway: Gateway, nm: Mnema, user_id: str) -> str:
    """A person who knows 100,000 others; put there past the services, to save minutes."""
    nm.graph.add_triples(
        user_id,
        [
            Triple(NodeType.PERSON, "Hub", EdgeType.MET, NodeType.PERSON, "Ada"),
            Triple(NodeType.PERSON, "Bob", EdgeType.MET, NodeType.PERSON, "Hub"),
        ],
    )
    owner = owner_of(TenantId(UUID(gateway.tenant.tenant_id)), user_id)

    async def fill() -> None:
        connection = await asyncpg.connect(stack.postgres.access().superuser_dsn)
        await connection.execute(FILL_NODES, owner, HUB_EDGES)
        await connection.execute(FILL_EDGES, owner, HUB_EDGES)
        await connection.execute("ANALYZE graph_edges, graph_nodes")
        await connection.close()

    asyncio.run(fill())
    return user_id


def test_a_hub_of_100_000_edges_neither_hangs_nor_floods(nm: Mnema, hub: str) -> None:
    page = nm.graph.get_neighbors(hub, NodeType.PERSON, "hub", limit=50)
    assert len({each.node.node_id for each in page}) == 50
    met = nm.graph.get_neighbors(hub, NodeType.PERSON, "hub", edge_types=[EdgeType.MET])
    assert {each.node.name for each in met} == {"Ada", "Bob"}
    facts = nm.graph.find_facts(hub, "Whom does Hub know, and does Hub know Ada?", limit=20)
    assert len(facts) == 20
    assert (facts[0]["subject"], facts[0]["object"]) == ("Hub", "Ada")
    (path, *_) = nm.graph.find_path(NodeType.PERSON, "ada", NodeType.PERSON, "bob", max_depth=3)
    assert [node.name for node in path.nodes] == ["Ada", "Hub", "Bob"]
    stated = nm.graph.add_triples(
        hub, [Triple(NodeType.PERSON, "Hub", EdgeType.KNOWS, NodeType.PERSON, "One more")]
    )
    assert stated.closed_edges == ()
    assert nm.stats(hub)["graph_edges"] == HUB_EDGES + 3
    profile = nm.entity_profile(hub, "Hub")
    assert len(profile["graph_relations"]) == 20
