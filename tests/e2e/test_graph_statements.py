"""The graph through the gateway."""

from typing import Any

import pytest

from tests.e2e.contract import rpc
from tests.e2e.gateway import Gateway


def triple(subject: str, relation: str, object_: str, **fields: Any) -> dict[str, Any]:
    kinds = {"LIVES_IN": "LOCATION", "WORKS_AT": "ORGANIZATION", "KNOWS": "PERSON"}
    return {
        "subject": {"node_type": "NODE_TYPE_PERSON", "name": subject},
        "relation": f"EDGE_TYPE_{relation}",
        "object": {"node_type": f"NODE_TYPE_{kinds[relation]}", "name": object_},
        **fields,
    }


@pytest.mark.feature("N15")
def test_triples_resolve_what_contradicts_them(gateway: Gateway, user_id: str) -> None:
    def state(*triples: dict[str, Any]) -> dict[str, Any]:
        return gateway.call("GraphService.AddTriples", {"user_id": user_id, "triples": triples})

    state(
        triple("Nora", "LIVES_IN", "Bergen", valid_from="2020-01-01T00:00:00Z"),
        triple("Nora", "KNOWS", "Ines"),
        triple("Nora", "WORKS_AT", "Harbour Labs"),
    )
    moved = state(triple("Nora", "LIVES_IN", "Oslo", valid_from="2023-06-01T00:00:00Z"))
    (closed,) = moved["closed_edges"]
    assert (closed["target"]["node_id"], closed["closed_reason"]) == ("bergen", "superseded")
    assert closed["valid_to"] == "2023-06-01T00:00:00Z"
    assert closed["superseded_by"] == moved["edges"][0]["edge_id"]
    # Many-valued relations close nothing, and the same again is one edge.
    assert (
        state(triple("Nora", "KNOWS", "Tom"), triple("Nora", "KNOWS", "Ines"))["closed_edges"] == []
    )
    nora = {"user_id": user_id, "node_type": "NODE_TYPE_PERSON", "node_id": "nora"}
    present = gateway.call("GraphService.ListNeighbors", nora)["neighbors"]
    assert sorted(each["node"]["name"] for each in present) == [
        "Harbour Labs",
        "Ines",
        "Oslo",
        "Tom",
    ]
    every = gateway.call("GraphService.ListNeighbors", {**nora, "include_closed": True})[
        "neighbors"
    ]
    assert len(every) == 5
    only = {**nora, "edge_types": ["EDGE_TYPE_KNOWS"], "direction": "DIRECTION_IN"}
    assert gateway.call("GraphService.ListNeighbors", only)["neighbors"] == []
    facts = gateway.call(
        "GraphService.FindFacts", {"user_id": user_id, "query": "Does Nora know Ines?"}
    )["facts"]
    assert (facts[0]["subject"], facts[0]["relation"], facts[0]["object"]) == (
        "Nora",
        "KNOWS",
        "Ines",
    )
    assert facts[0]["matched_ends"] == 2


def test_paths_are_found_the_shortest_first(gateway: Gateway, user_id: str) -> None:
    chain = [triple(a, "KNOWS", b) for a, b in ("AB", "BC", "CD", "DA", "BD")]
    gateway.call("GraphService.AddTriples", {"user_id": user_id, "triples": chain})
    ends = {
        "source": {"node_type": "NODE_TYPE_PERSON", "node_id": "a"},
        "target": {"node_type": "NODE_TYPE_PERSON", "node_id": "c"},
    }
    paths = gateway.call("GraphService.FindPaths", {"user_id": user_id, **ends})["paths"]
    named = ["".join(node["name"] for node in path["nodes"]) for path in paths]
    assert set(named[:2]) == {"ABC", "ADC"}
    assert set(named[2:]) == {"ABDC", "ADBC"}
    assert all(len(path["edges"]) == len(path["nodes"]) - 1 for path in paths)


def test_nodes_and_edges_by_hand(gateway: Gateway, user_id: str) -> None:
    node = {"node_type": "NODE_TYPE_USER", "node_id": "alice", "properties": {"name": "Alice"}}
    gateway.call("GraphService.CreateNode", {"user_id": user_id, "node": node})
    failure = gateway.rest_failure(
        rpc("GraphService.CreateNode"), {"user_id": user_id, "node": node}, gateway.tenant.api_key
    )
    assert failure is not None
    assert failure.reason == "RESOURCE_EXISTS"
    edge = {
        "source": {"node_type": "NODE_TYPE_USER", "node_id": "alice"},
        "edge_type": "EDGE_TYPE_WORKS_AT",
        "target": {"node_type": "NODE_TYPE_ENTITY", "node_id": "google"},
        "properties": {"since": "2023"},
    }
    made = gateway.call("GraphService.CreateEdge", {"user_id": user_id, "edge": edge})["edge"]
    changed = {"edge_id": made["edge_id"], "properties": {"since": None, "team": "search"}}
    update = {"user_id": user_id, "edge": changed, "update_mask": "properties"}
    assert gateway.call("GraphService.UpdateEdge", update)["edge"]["properties"] == {
        "team": "search"
    }
    properties = {"user_id": user_id, "node": {**node, "properties": {"age": 31}}}
    updated = gateway.call("GraphService.UpdateNode", {**properties, "update_mask": "properties"})
    assert updated["node"]["properties"] == {"name": "Alice", "age": 31}
    key = {"user_id": user_id, "node_type": "NODE_TYPE_USER", "node_id": "alice"}
    gone = gateway.call("GraphService.DeleteNode", key)
    assert (gone["deleted"], gone["edges_deleted"]) == (True, "1")
    failure = gateway.rest_failure(rpc("GraphService.GetNode"), key, gateway.tenant.api_key)
    assert failure is not None
    assert failure.reason == "RESOURCE_NOT_FOUND"
