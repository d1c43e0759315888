"""The requests of GraphService as plain values, and its answers from them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from mnema.v1 import graph_service_pb2 as pb
from mnema.v1.types_pb2 import Edge, Node
from mnema.v1.types_pb2 import NodeKey as NodeKeyMessage
from services.contract.convert_graph import (
    edge_message,
    edge_type_name,
    key_message,
    key_of,
    moment_of,
    node_message,
    node_type_name,
)
from services.contract.json_values import struct_dict
from services.graph.changes import EDGE_FIELDS, NODE_FIELDS, check_mask, check_times
from services.graph.facts import Fact
from services.graph.reading import Neighbor, Path
from services.runtime.errors import FieldViolation, InvalidArgument, invalid
from services.runtime.ids import new_id
from services.storage.graph import Stated, Statement
from services.storage.graph_edges import EdgeRow
from services.storage.graph_reads import Direction
from services.storage.relations import CUSTOM, NodeKey, NodeRef, named

DIRECTIONS: dict[int, Direction] = {
    pb.DIRECTION_UNSPECIFIED: "both",
    pb.DIRECTION_OUT: "out",
    pb.DIRECTION_IN: "in",
    pb.DIRECTION_BOTH: "both",
}
DIRECTION_VALUES: dict[str, "pb.Direction.ValueType"] = {
    "out": pb.DIRECTION_OUT,
    "in": pb.DIRECTION_IN,
}
_UNSET = datetime.min.replace(tzinfo=UTC)


def node_of_request(node: Node) -> NodeRef:
    """The node a caller describes. InvalidArgument without a type or an id."""
    key = required_key(node, "node")
    return NodeRef(key.node_type, key.node_id, node.name)


def required_key(node: Node | NodeKeyMessage, field: str) -> NodeKey:
    """The identity in a message. InvalidArgument (FIELD_REQUIRED) if a part is missing."""
    _require(
        {f"{field}.node_type": bool(node.node_type), f"{field}.node_id": bool(node.node_id.strip())}
    )
    return key_of(node)


def node_changes(request: pb.UpdateNodeRequest) -> dict[str, Any]:
    """The new values of the mask's fields."""
    fields = check_mask(request.update_mask.paths, NODE_FIELDS)
    changes: dict[str, Any] = {}
    if "name" in fields:
        changes["name"] = request.node.name
    if "properties" in fields:
        changes["properties"] = struct_dict(request.node.properties)
    return changes


def edge_of_request(edge: Edge) -> EdgeRow:
    """The edge a caller describes, with a new id; its record times come when it is stored."""
    source = required_key(edge.source, "edge.source")
    target = required_key(edge.target, "edge.target")
    _require({"edge.edge_type": bool(edge.edge_type)})
    edge_type = edge_type_name(edge.edge_type)
    valid_from, valid_to = moment_of(edge, "valid_from"), moment_of(edge, "valid_to")
    check_times(valid_from, valid_to)
    return EdgeRow(
        edge_id=new_id(),
        source=source,
        edge_type=edge_type,
        custom_type=_custom_type(edge_type, edge.custom_type, "edge"),
        target=target,
        weight=edge.weight if edge.HasField("weight") else 1.0,
        confidence=edge.confidence if edge.HasField("confidence") else None,
        properties=struct_dict(edge.properties),
        content=edge.content,
        valid_from=valid_from,
        valid_to=valid_to,
        first_recorded_at=_UNSET,
        recorded_at=_UNSET,
    )


def edge_changes(request: pb.UpdateEdgeRequest) -> dict[str, Any]:
    """The new values of the mask's fields; what is not set becomes its default."""
    edge = request.edge
    values: dict[str, Any] = {
        "properties": struct_dict(edge.properties),
        "weight": edge.weight if edge.HasField("weight") else 1.0,
        "content": edge.content,
        "valid_from": moment_of(edge, "valid_from"),
        "valid_to": moment_of(edge, "valid_to"),
    }
    return {name: values[name] for name in check_mask(request.update_mask.paths, EDGE_FIELDS)}


def edge_id_of(edge_id: str, field: str) -> UUID:
    """An edge's id. InvalidArgument (FIELD_REQUIRED) if it is empty."""
    _require({field: bool(edge_id)})
    return UUID(edge_id)


def statement_of(triple: pb.Triple, position: int) -> Statement:
    """A triple of a request; `position` names it in errors."""
    field = f"triples[{position}]"
    relation = edge_type_name(triple.relation)
    valid_from, valid_to = moment_of(triple, "valid_from"), moment_of(triple, "valid_to")
    check_times(valid_from, valid_to, field)
    return Statement(
        subject=_end_of(triple.subject),
        edge_type=relation,
        custom_type=_custom_type(relation, triple.custom_type, field),
        object=_end_of(triple.object),
        content=triple.content,
        confidence=triple.confidence if triple.HasField("confidence") else 1.0,
        valid_from=valid_from,
        valid_to=valid_to,
    )


def triples_response(stated: list[Stated]) -> pb.AddTriplesResponse:
    """The edge of each triple, and each edge that was closed, once."""
    closed = {edge.edge_id: edge for each in stated for edge in each.closed}
    return pb.AddTriplesResponse(
        edges=[edge_message(each.edge) for each in stated],
        closed_edges=[edge_message(edge) for edge in closed.values()],
    )


def neighbor_message(neighbor: Neighbor) -> pb.Neighbor:
    """A neighbour, as the contract shows it; of a node that is gone only its identity."""
    other = key_message(neighbor.near.other)
    gone = Node(node_type=other.node_type, node_id=other.node_id, name=other.node_id)
    return pb.Neighbor(
        edge=edge_message(neighbor.near.edge),
        node=node_message(neighbor.node) if neighbor.node else gone,
        direction=DIRECTION_VALUES[neighbor.near.direction],
    )


def path_message(path: Path) -> pb.Path:
    """A path, as the contract shows it."""
    return pb.Path(
        nodes=[node_message(node) for node in path.nodes],
        edges=[edge_message(edge) for edge in path.edges],
    )


def fact_message(fact: Fact) -> pb.GraphFact:
    """A fact, as the contract shows it."""
    return pb.GraphFact(
        edge=edge_message(fact.edge),
        subject=fact.subject,
        relation=fact.relation,
        object=fact.object,
        matched_ends=fact.matched_ends,
    )


def _end_of(end: pb.TripleNode) -> NodeRef:
    return named(node_type_name(end.node_type), end.name)


def _custom_type(edge_type: str, custom_type: str, field: str) -> str:
    if edge_type == CUSTOM and not custom_type.strip():
        raise invalid(f"{field}.custom_type", "is required for CUSTOM", "FIELD_REQUIRED")
    if edge_type != CUSTOM and custom_type:
        raise invalid(f"{field}.custom_type", "is for CUSTOM only")
    return custom_type


def _require(present: dict[str, bool]) -> None:
    missing = [
        FieldViolation(field, "is required", "FIELD_REQUIRED")
        for field, there in present.items()
        if not there
    ]
    if missing:
        raise InvalidArgument(missing)
