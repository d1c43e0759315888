"""GraphService over a real channel: nodes, edges, triples and who may see them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1 import graph_service_pb2 as pb
from mnema.v1.types_pb2 import Edge, EdgeType, Node, NodeType
from tests.conftest import TestDatabase
from tests.service.graph_world import (
    GraphCaller,
    GraphService,
    edge,
    graph_service,
    key,
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


def mask(*paths: str) -> FieldMask:
    return FieldMask(paths=paths)


async def moment() -> Timestamp:
    """Now; what is written next is written later."""
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC))
    await asyncio.sleep(0.01)
    return stamp


async def test_a_node_and_its_past(alice: GraphCaller) -> None:
    made = (await alice.call("CreateNode", node=node("p-1", properties={"a": 1, "b": None}))).node
    assert (made.name, dict(made.properties)) == ("p-1", {"a": 1})
    refused = await alice.fails("CreateNode", node=node("p-1"))
    assert refused[:2] == ("ALREADY_EXISTS", "RESOURCE_EXISTS")
    assert refused[2] == {"resource_type": "node", "resource_name": "PERSON/p-1"}
    await alice.call("CreateNode", node=node("p-1", "LOCATION"))

    before = await moment()
    changed = node("p-1", name="Paula", properties={"a": None, "c": [1, {"d": 2}]})
    updated = (
        await alice.call("UpdateNode", node=changed, update_mask=mask("name", "properties"))
    ).node
    assert updated.name == "Paula"
    assert list(updated.properties) == ["c"]
    assert updated.created_at == made.created_at
    assert updated.updated_at.ToNanoseconds() > made.updated_at.ToNanoseconds()
    same = await alice.call("UpdateNode", node=changed, update_mask=mask("name"))
    assert same.node == updated

    named = {"node_type": made.node_type, "node_id": "p-1"}
    assert (await alice.call("GetNode", **named)).node == updated
    assert (await alice.call("GetNode", **named, as_of=before)).node.name == "p-1"
    assert (await alice.call("DeleteNode", **named)).deleted
    assert (await alice.fails("GetNode", **named))[:2] == ("NOT_FOUND", "RESOURCE_NOT_FOUND")
    assert (await alice.call("GetNode", **named, as_of=before)).node.name == "p-1"
    assert not (await alice.call("DeleteNode", **named)).deleted
    again = (await alice.call("CreateNode", node=node("p-1"))).node
    assert again.created_at.ToNanoseconds() > updated.updated_at.ToNanoseconds()


@pytest.mark.parametrize("path", ["node_id", "created_at", "*", "properties.a", "nonsense"])
async def test_masks_name_what_can_be_updated(alice: GraphCaller, path: str) -> None:
    await alice.call("CreateNode", node=node("p"))
    made = (await alice.call("CreateEdge", edge=edge("p", "KNOWS", "q"))).edge
    for method, changed in (("UpdateNode", {"node": node("p")}), ("UpdateEdge", {"edge": made})):
        refused = await alice.fails(method, **changed, update_mask=mask(path))
        assert refused[:2] == ("INVALID_ARGUMENT", "FIELD_MASK_INVALID")


async def test_properties_do_not_grow_past_the_limit(alice: GraphCaller) -> None:
    await alice.call("CreateNode", node=node("p", properties={"a": "x" * 10_000}))
    more = node("p", properties={"b": "x" * 10_000})
    refused = await alice.fails("UpdateNode", node=more, update_mask=mask("properties"))
    assert refused[:2] == ("INVALID_ARGUMENT", "FIELD_TOO_LONG")


async def test_deleting_a_node_takes_its_edges_along(alice: GraphCaller) -> None:
    for target in ("b", "c", "a"):
        await alice.call("CreateEdge", edge=edge("a", "KNOWS", target))
    kept = (await alice.call("CreateEdge", edge=edge("b", "KNOWS", "c"))).edge
    before = await moment()
    person = {"node_type": kept.source.node_type}
    gone = await alice.call("DeleteNode", **person, node_id="a")
    assert (gone.deleted, gone.edges_deleted) == (True, 3)
    near_b = {**person, "node_id": "b"}
    left = (await alice.call("ListNeighbors", **near_b)).neighbors
    assert [neighbor.edge.edge_id for neighbor in left] == [kept.edge_id]
    then = (await alice.call("ListNeighbors", **near_b, as_of=before)).neighbors
    assert [neighbor.node.node_id for neighbor in then] == ["c", "a"]
    assert [neighbor.direction for neighbor in then] == [pb.DIRECTION_OUT, pb.DIRECTION_IN]


async def test_nodes_are_listed_by_type_and_id_in_pages(alice: GraphCaller) -> None:
    for number in (3, 1, 2, 5, 4):
        await alice.call("CreateNode", node=node(f"n{number}"))
        await alice.call("CreateNode", node=node(f"n{number}", "EVENT"))
    ids, token = [], ""
    while True:
        page = await alice.call("ListNodes", page_size=3, page_token=token)
        ids += [(NodeType.Name(each.node_type)[10:], each.node_id) for each in page.nodes]
        token = page.next_page_token
        if not token:
            break
    assert ids == sorted(ids)
    assert len(ids) == 10
    person = key("").node_type
    first = await alice.call("ListNodes", node_type=person, page_size=3)
    assert [each.node_id for each in first.nodes] == ["n1", "n2", "n3"]
    refused = await alice.fails("ListNodes", page_token=first.next_page_token)
    assert refused[:2] == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")


async def test_an_edge_as_it_is_given(alice: GraphCaller) -> None:
    given = edge("a", "LIVES_IN", "b", weight=0.3, confidence=0.7, content="words",
                 valid_from=year(2001), properties={"k": "v"}, closed_reason="ignored")  # fmt: skip
    made = (await alice.call("CreateEdge", edge=given)).edge
    assert (made.weight, made.confidence, made.content) == (0.3, 0.7, "words")
    assert (made.valid_from, dict(made.properties)) == (year(2001), {"k": "v"})
    assert (made.closed_reason, made.HasField("valid_to")) == ("", False)
    assert (await alice.call("GetEdge", edge_id=made.edge_id)).edge == made
    person = {"node_type": made.target.node_type}
    assert (await alice.call("GetNode", **person, node_id="b")).node.name == "b"
    refused = await alice.fails("CreateEdge", edge=given)
    assert refused[:2] == ("ALREADY_EXISTS", "RESOURCE_EXISTS")
    assert refused[2]["resource_name"] == made.edge_id
    # A sibling of a single-valued relation closes nothing here.
    await alice.call("CreateEdge", edge=edge("a", "LIVES_IN", "c"))
    assert (await alice.call("GetEdge", edge_id=made.edge_id)).edge == made
    past = edge("a", "LIVES_IN", "b", valid_to=year(1999))
    assert (await alice.call("CreateEdge", edge=past)).edge.closed_reason == "ended"


async def test_an_edge_is_changed_ended_and_opened_again(alice: GraphCaller) -> None:
    made = (await alice.call("CreateEdge", edge=edge("a", "KNOWS", "b", properties={"x": 1}))).edge
    before = await moment()
    values = Struct()
    values.update({"x": None, "y": 2})
    changed = Edge(edge_id=made.edge_id, weight=0.5, content="new", properties=values,
                   valid_from=year(2001), valid_to=year(2002))  # fmt: skip
    paths = mask("weight", "content", "properties", "valid_from", "valid_to")
    updated = (await alice.call("UpdateEdge", edge=changed, update_mask=paths)).edge
    assert (updated.weight, updated.content, dict(updated.properties)) == (0.5, "new", {"y": 2})
    assert (updated.closed_reason, updated.created_at) == ("ended", made.created_at)
    near = {"node_type": made.source.node_type, "node_id": "a"}
    assert not (await alice.call("ListNeighbors", **near)).neighbors
    (shown,) = (await alice.call("ListNeighbors", **near, include_closed=True)).neighbors
    assert shown.edge == updated
    (shown,) = (await alice.call("ListNeighbors", **near, as_of=before)).neighbors
    assert (shown.edge.weight, dict(shown.edge.properties)) == (1.0, {"x": 1})

    opened = await alice.call(
        "UpdateEdge", edge=Edge(edge_id=made.edge_id), update_mask=mask("valid_to", "weight")
    )
    assert (opened.edge.HasField("valid_to"), opened.edge.closed_reason) == (False, "")
    assert opened.edge.weight == 1.0
    wrong = Edge(edge_id=made.edge_id, valid_to=year(1990))
    refused = await alice.fails("UpdateEdge", edge=wrong, update_mask=mask("valid_to"))
    assert refused[:2] == ("INVALID_ARGUMENT", "FIELD_OUT_OF_RANGE")


async def test_opening_an_edge_beside_its_like_is_refused(alice: GraphCaller) -> None:
    old = (await alice.call("CreateEdge", edge=edge("a", "MET", "b", valid_to=year(2001)))).edge
    await alice.call("CreateEdge", edge=edge("a", "MET", "b"))
    refused = await alice.fails(
        "UpdateEdge", edge=Edge(edge_id=old.edge_id), update_mask=mask("valid_to")
    )
    assert refused[:2] == ("ALREADY_EXISTS", "RESOURCE_EXISTS")


async def test_a_deleted_edge_can_still_be_got(alice: GraphCaller) -> None:
    made = (await alice.call("CreateEdge", edge=edge("a", "KNOWS", "b"))).edge
    assert (await alice.call("DeleteEdge", edge_id=made.edge_id)).deleted
    assert not (await alice.call("DeleteEdge", edge_id=made.edge_id)).deleted
    gone = (await alice.call("GetEdge", edge_id=made.edge_id)).edge
    assert (gone.HasField("retracted_at"), gone.closed_reason) == (True, "deleted")
    refused = await alice.fails("UpdateEdge", edge=made, update_mask=mask("content"))
    assert refused[:2] == ("NOT_FOUND", "RESOURCE_NOT_FOUND")
    assert (await alice.fails("GetEdge", edge_id=str(uuid4())))[0] == "NOT_FOUND"
    await alice.call("CreateEdge", edge=edge("a", "KNOWS", "b"))


@pytest.mark.parametrize(
    ("method", "fields", "field"),
    [
        ("CreateNode", {"node": Node(node_id="a")}, "node.node_type"),
        ("CreateNode", {"node": Node(node_type=key("").node_type)}, "node.node_id"),
        ("CreateEdge", {"edge": Edge(source=key("a"), target=key("b"))}, "edge.edge_type"),
        ("CreateEdge", {"edge": Edge(target=key("b"))}, "edge.source.node_type"),
        ("CreateEdge", {"edge": edge("a", "CUSTOM", "b")}, "edge.custom_type"),
        ("FindPaths", {"source": key("a"), "target": key("")}, "target.node_id"),
        ("AddTriples", {"triples": [triple("a", "CUSTOM", "b")]}, "triples[0].custom_type"),
        ("AddTriples", {"triples": [triple("a", "KNOWS", "")]}, "triples[0].object.name"),
        ("UpdateEdge", {"edge": Edge(), "update_mask": mask("content")}, "edge.edge_id"),
    ],
)
async def test_what_is_required(
    alice: GraphCaller, method: str, fields: dict[str, object], field: str
) -> None:
    code, reason, metadata = await alice.fails(method, **fields)
    assert (code, reason, metadata["field"]) == ("INVALID_ARGUMENT", "FIELD_REQUIRED", field)


async def test_triples_resolve_contradictions(alice: GraphCaller) -> None:
    first = await alice.state(
        triple("Caroline", "WORKS_AT", "ORGANIZATION:Apple Inc.", valid_from=year(2010)),
        triple("Caroline", "CUSTOM", "CONCEPT:Dogs", custom_type="likes"),
    )
    assert [each.target.node_id for each in first.edges] == ["apple_inc", "dogs"]
    assert [each.confidence for each in first.edges] == [1.0, 1.0]
    second = await alice.state(
        triple("Caroline", "WORKS_AT", "ORGANIZATION:Google", valid_from=year(2015)),
        triple("caroline", "CUSTOM", "CONCEPT:Cats", custom_type="likes"),
    )
    (closed,) = second.closed_edges
    assert (closed.edge_id, closed.valid_to) == (first.edges[0].edge_id, year(2015))
    assert (closed.closed_reason, closed.superseded_by) == ("superseded", second.edges[0].edge_id)
    assert (await alice.call("GetEdge", edge_id=closed.edge_id)).edge == closed
    third = await alice.state(
        triple("Caroline", "WORKS_AT", "ORGANIZATION:Apple Inc.", valid_to=year(2013))
    )
    assert (third.edges[0].edge_id, third.edges[0].valid_to) == (closed.edge_id, year(2013))
    assert (third.edges[0].closed_reason, third.edges[0].superseded_by) == ("ended", "")


async def test_triples_are_all_or_none(alice: GraphCaller) -> None:
    wrong = triple("A", "KNOWS", "C", valid_from=year(2002), valid_to=year(2001))
    refused = await alice.fails("AddTriples", triples=[triple("A", "KNOWS", "B"), wrong])
    assert refused[2]["field"] == "triples[1].valid_to"
    assert not (await alice.call("ListNodes")).nodes


async def test_a_request_id_makes_calls_safe_to_repeat(alice: GraphCaller) -> None:
    for method, fields in (
        ("CreateNode", {"node": node("n")}),
        ("CreateEdge", {"edge": edge("a", "KNOWS", "b")}),
        ("AddTriples", {"triples": [triple("A", "LIVES_IN", "LOCATION:Rome")]}),
    ):
        once = {"request_id": str(uuid4()), **fields}
        first, second = await asyncio.gather(alice.call(method, **once), alice.call(method, **once))
        assert first == second
        once["user_id"] = alice.user_id
        other = {"triples": [triple("B", "KNOWS", "C")], "request_id": once["request_id"]}
        assert (await alice.fails("AddTriples", **other))[1] == "REQUEST_ID_REUSED"


async def test_writers_at_the_same_time_leave_one_open_edge(alice: GraphCaller) -> None:
    places = [triple("Caroline", "LIVES_IN", f"LOCATION:Place {n}") for n in range(8)]
    await asyncio.gather(*[alice.state(place) for place in places])
    near = {"node_type": key("").node_type, "node_id": "caroline"}
    assert len((await alice.call("ListNeighbors", **near)).neighbors) == 1
    everything = (await alice.call("ListNeighbors", **near, include_closed=True)).neighbors
    assert len(everything) == 8


async def test_neighbours_in_pages(alice: GraphCaller) -> None:
    await alice.state(*[triple("Hub", "KNOWS", f"P{n}") for n in range(25)])
    await alice.state(triple("Hub", "MET", "Someone"))
    query = {"node_type": key("").node_type, "node_id": "hub",
             "edge_types": [EdgeType.EDGE_TYPE_KNOWS]}  # fmt: skip
    names, token = [], ""
    for _ in range(3):
        page = await alice.call("ListNeighbors", **query, page_size=10, page_token=token)
        names += [neighbor.node.name for neighbor in page.neighbors]
        token = page.next_page_token
    assert (token, names) == ("", [f"P{n}" for n in reversed(range(25))])
    assert not (await alice.call("ListNeighbors", node_type=1, node_id="nobody")).neighbors


async def test_others_see_nothing(service: GraphService) -> None:
    alice = service.alice
    made = (await alice.state(triple("Caroline", "KNOWS", "Bob"))).edges[0]
    person = {"node_type": made.source.node_type, "node_id": "caroline"}
    for other in (service.stranger, alice.as_user("bob")):
        assert (await other.fails("GetNode", **person))[0] == "NOT_FOUND"
        assert (await other.fails("GetEdge", edge_id=made.edge_id))[0] == "NOT_FOUND"
        assert not (await other.call("ListNodes")).nodes
        assert not (await other.call("ListNeighbors", **person)).neighbors
        assert await other.facts("Caroline") == []
        assert await other.paths("caroline", "bob") == []
        assert not (await other.call("DeleteNode", **person)).deleted
        assert not (await other.call("DeleteEdge", edge_id=made.edge_id)).deleted
        changed = {"edge": made, "update_mask": mask("content")}
        assert (await other.fails("UpdateEdge", **changed))[0] == "NOT_FOUND"
    assert (await alice.call("GetEdge", edge_id=made.edge_id)).edge == made
