"""Reading around a node with very many edges: bounded work, whole pages, one moment."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.graph.paths import MAX_EDGES_OF_NODE
from services.runtime.database import Connection
from services.storage import graph_nodes
from services.storage.graph_edges import delete_edges_of
from services.storage.graph_reads import (
    NEWEST,
    SQL,
    NeighborQuery,
    edges_between,
    edges_near,
    links_of,
    place_of,
)
from services.storage.relations import EDGE_TYPES, NodeKey
from tests.conftest import TestDatabase
from tests.store.graph_world import GraphWorld, graph_world, says

HUB = NodeKey("PERSON", "hub")
LEAVES = 20_000


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[GraphWorld]:
    async with graph_world(test_database) as world:
        yield world


@pytest.fixture
async def hub(world: GraphWorld, test_database: TestDatabase) -> GraphWorld:
    """A person who knows 20,000 others, of whom half are known by them in return."""
    async with world.writing() as connection:
        await connection.execute(
            "INSERT INTO graph_nodes (owner_id, node_type, node_id, name, name_id) VALUES"
            " ($1, 'PERSON', 'hub', 'Hub', 'hub')",
            world.owner_id,
        )
        await connection.execute(
            "INSERT INTO graph_edges (owner_id, edge_id, source_type, source_id, edge_type,"
            " target_type, target_id)"
            " SELECT $1, uuidv7(), 'PERSON', CASE WHEN n % 2 = 0 THEN 'hub' ELSE 'leaf' || n END,"
            " 'KNOWS', 'PERSON', CASE WHEN n % 2 = 0 THEN 'leaf' || n ELSE 'hub' END"
            " FROM generate_series(1, $2::int) n",
            world.owner_id,
            LEAVES,
        )
    await analyze(test_database)
    return world


async def analyze(test_database: TestDatabase) -> None:
    """What autovacuum does by itself after a while."""
    connection = await asyncpg.connect(test_database.superuser_dsn)
    await connection.execute("ANALYZE graph_nodes, graph_edges")
    await connection.close()


async def explained(connection: Connection, query: str, *arguments: Any) -> list[dict[str, Any]]:
    """The nodes of a plan, as it was carried out."""
    raw = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *arguments)
    plans = raw if isinstance(raw, list) else json.loads(raw)

    def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield plan
        for child in plan.get("Plans", ()):
            yield from nodes(child)

    return list(nodes(plans[0]["Plan"]))


def rows_read(plan: list[dict[str, Any]], table: str = "graph_edges") -> float:
    """How many rows of a table were looked at; fails if it was read from end to end."""
    scans = [node for node in plan if node.get("Relation Name") == table]
    assert scans
    assert all(node["Node Type"] != "Seq Scan" for node in scans), scans
    removed = "Rows Removed by Filter"
    return float(
        sum((node["Actual Rows"] + node.get(removed, 0)) * node["Actual Loops"] for node in scans)
    )


@pytest.mark.parametrize("as_of", [None, datetime.fromisoformat("2999-01-01T00:00:00Z")])
async def test_a_page_of_a_hub_reads_a_page(hub: GraphWorld, as_of: datetime | None) -> None:
    arguments = [hub.owner_id, ["PERSON"], ["hub"], list(EDGE_TYPES), as_of, False, *NEWEST]
    async with hub.database.transaction(hub.scope) as connection:
        query = SQL["edges_of_nodes"]
        plan = await explained(connection, query, *arguments, 101, "both")
        between = await explained(
            connection,
            SQL["edges_between"],
            hub.owner_id,
            ["PERSON"] * 2,
            ["hub", "leaf4"],
            as_of,
            9,
        )
        links = await explained(
            connection, SQL["links_of_nodes"], hub.owner_id, ["PERSON"], ["hub"], as_of, 50, 1000
        )
    assert 200 <= rows_read(plan) <= 250
    assert rows_read(between) <= 20
    assert 100 <= rows_read(links) <= 110


async def test_a_statement_about_a_hub_reads_its_own_triples(hub: GraphWorld) -> None:
    person = ["PERSON"]
    async with hub.database.transaction(hub.scope) as connection:
        plan = await explained(
            connection, SQL["edges_about"], hub.owner_id,
            person, ["hub"], ["KNOWS"], [""], person, ["leaf4"], person, ["hub"], ["LIVES_IN"],
        )  # fmt: skip
    assert rows_read(plan) <= 2


async def test_names_are_found_by_index(world: GraphWorld, test_database: TestDatabase) -> None:
    async with world.writing() as connection:
        await connection.execute(
            "INSERT INTO graph_nodes (owner_id, node_type, node_id, name, name_id)"
            " SELECT $1, 'PERSON', 'p-' || n, 'Person ' || n, 'person_' || n"
            " FROM generate_series(1, 20000) n",
            world.owner_id,
        )
    await analyze(test_database)
    async with world.database.transaction(world.scope) as connection:
        plan = await explained(
            connection,
            graph_nodes.SQL["nodes_named"],
            world.owner_id,
            ["p-7"],
            ["person_9"],
            None,
            10,
            8,
        )
        found = await graph_nodes.nodes_named(
            connection, world.owner_id, ["p-7"], ["person_9"], None, 10, 8
        )
    assert [node.name for node in found.named] == ["Person 7", "Person 9"]
    assert found.user == ()
    assert rows_read(plan, "graph_nodes") <= 7  # one of them tells that there are nodes at all


async def test_without_a_graph_no_name_is_looked_up(world: GraphWorld) -> None:
    async with world.database.transaction(world.scope) as connection:
        plan = await explained(
            connection, graph_nodes.SQL["nodes_named"], world.owner_id, ["a"], ["a"], None, 10, 0
        )
    ran = [
        node.get("Index Name")
        for node in plan
        if node.get("Relation Name") == "graph_nodes" and node["Actual Loops"]
    ]
    assert ran == ["pk_graph_nodes"]  # whether there is one at all


async def test_pages_under_one_record_time_miss_nothing(hub: GraphWorld) -> None:
    async with hub.database.transaction(hub.scope) as connection:
        times = await connection.fetchval("SELECT count(DISTINCT recorded_at) FROM graph_edges")
        seen: list[UUID] = []
        before = NEWEST
        while True:
            query = NeighborQuery(997, before=before)
            page = await edges_near(connection, hub.owner_id, [HUB], query)
            if not page:
                break
            seen += [near.edge.edge_id for near in page]
            before = place_of(page[-1].edge)
    assert times == 1
    assert len(set(seen)) == len(seen) == LEAVES
    assert seen == sorted(seen, reverse=True)


async def test_directions_and_types(world: GraphWorld) -> None:
    await world.state(
        says("KNOWS", "Bob", subject="Hub"),
        says("VISITED", "Rome", subject="Hub"),
        says("MET", "Hub", subject="Carol"),
    )
    place = NodeKey("LOCATION", "hub")

    async def found(node: NodeKey, **options: Any) -> list[str]:
        async with world.database.transaction(world.scope) as connection:
            query = NeighborQuery(10, **options)
            near = await edges_near(connection, world.owner_id, [node], query)
        return [f"{each.direction} {each.other.node_id}" for each in near]

    assert await found(HUB) == ["out rome", "out bob"]
    assert await found(HUB, edge_types=("KNOWS", "MET")) == ["out bob"]
    assert await found(HUB, direction="in") == []
    assert await found(place, direction="in") == ["in carol"]
    assert await found(place, direction="out") == []


async def test_an_edge_to_itself_is_listed_once(world: GraphWorld) -> None:
    async with world.writing() as connection:
        await connection.execute(
            "INSERT INTO graph_edges (owner_id, edge_id, source_type, source_id, edge_type,"
            " target_type, target_id)"
            " VALUES ($1, uuidv7(), 'PERSON', 'hub', 'KNOWS', 'PERSON', 'hub')",
            world.owner_id,
        )
        for direction, expected in (("both", ["out"]), ("in", ["in"]), ("out", ["out"])):
            query = NeighborQuery(10, direction=direction)  # type: ignore[arg-type]
            near = await edges_near(connection, world.owner_id, [HUB], query)
            assert [each.direction for each in near] == expected
        assert await delete_edges_of(connection, world.owner_id, HUB) == 1


async def test_what_is_over_is_shown_only_when_asked_for(world: GraphWorld) -> None:
    await world.state(says("LIVES_IN", "Paris"))
    before = await world.now()
    await world.state(says("LIVES_IN", "Berlin"))
    caroline = NodeKey("PERSON", "caroline")

    async def places(**options: Any) -> list[str]:
        async with world.database.transaction(world.scope) as connection:
            query = NeighborQuery(10, **options)
            near = await edges_near(connection, world.owner_id, [caroline], query)
        return [each.other.node_id for each in near]

    assert await places() == ["berlin"]
    assert await places(closed=True) == ["berlin", "paris"]
    assert await places(as_of=before) == ["paris"]


async def test_links_are_bounded_in_all(hub: GraphWorld) -> None:
    async with hub.database.transaction(hub.scope) as connection:
        found = await links_of(connection, hub.owner_id, [HUB], None, MAX_EDGES_OF_NODE, 1_500)
        pair = await edges_between(
            connection, hub.owner_id, [HUB, NodeKey("PERSON", "leaf3")], None, 5
        )
    assert len(found) == 1_500
    assert [(edge.source.node_id, edge.target.node_id) for edge in pair] == [("leaf3", "hub")]
