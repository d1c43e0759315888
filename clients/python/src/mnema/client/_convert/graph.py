"""Nodes, edges and paths."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mnema.client._convert.json_values import dict_of
from mnema.client._convert.names import EDGE_TYPES, NODE_TYPES, Names
from mnema.client._convert.times import moment_of, optional_moment, timestamp_of
from mnema.client.graph import Edge, EdgeType, Neighbor, Node, NodeType, Path, Triple
from mnema.v1 import graph_service_pb2, types_pb2

Direction = Literal["both", "out", "in"]

_DIRECTIONS = Names(graph_service_pb2.Direction.items(), "DIRECTION_", "direction")


def node_type_number(given: NodeType | str) -> types_pb2.NodeType.ValueType:
    """A type of node, given by its member or its name in any case."""
    return NODE_TYPES.number(_value(given))


def edge_type_number(given: EdgeType | str) -> types_pb2.EdgeType.ValueType:
    """A type of edge, given by its member or its name in any case."""
    return EDGE_TYPES.number(_value(given))


def edge_types_of(
    given: Sequence[EdgeType | str] | EdgeType | str | None,
) -> list[types_pb2.EdgeType.ValueType]:
    """One type of edge, several, or none (all)."""
    if given is None:
        return []
    several = [given] if isinstance(given, str) else given  # a member is a string too
    return [edge_type_number(each) for each in several]


def direction_number(given: str) -> graph_service_pb2.Direction.ValueType:
    """ "both", "out" or "in"."""
    return _DIRECTIONS.number(given)


def node_key(kind: NodeType | str, node_id: str) -> types_pb2.NodeKey:
    """The name of a node."""
    return types_pb2.NodeKey(node_type=node_type_number(kind), node_id=node_id)


def node_of(node: types_pb2.Node) -> Node:
    """A node as callers see it."""
    return Node(
        node_type=_node_type_of(node.node_type),
        node_id=node.node_id,
        name=node.name,
        properties=dict_of(node.properties),
        created_at=moment_of(node.created_at),
        updated_at=moment_of(node.updated_at),
    )


def edge_of(edge: types_pb2.Edge) -> Edge:
    """An edge as callers see it."""
    return Edge(
        id=edge.edge_id,
        source_type=_node_type_of(edge.source.node_type),
        source_id=edge.source.node_id,
        edge_type=EdgeType(EDGE_TYPES.name(edge.edge_type).upper()),
        target_type=_node_type_of(edge.target.node_type),
        target_id=edge.target.node_id,
        created_at=moment_of(edge.created_at),
        custom_type=edge.custom_type or None,
        weight=edge.weight if edge.HasField("weight") else 1.0,
        properties=dict_of(edge.properties),
        content=edge.content,
        valid_from=optional_moment(edge, "valid_from"),
        valid_to=optional_moment(edge, "valid_to"),
        retracted_at=optional_moment(edge, "retracted_at"),
        closed_reason=edge.closed_reason or None,
        superseded_by=edge.superseded_by or None,
        source_message_ids=tuple(edge.source_message_ids),
        confidence=edge.confidence if edge.HasField("confidence") else None,
    )


def neighbor_of(neighbor: graph_service_pb2.Neighbor) -> Neighbor:
    """A neighbour as callers see it."""
    return Neighbor(
        edge=edge_of(neighbor.edge),
        node=node_of(neighbor.node),
        direction=_DIRECTIONS.name(neighbor.direction),
    )


def path_of(path: graph_service_pb2.Path) -> Path:
    """A path as callers see it."""
    return Path(
        nodes=tuple(node_of(each) for each in path.nodes),
        edges=tuple(edge_of(each) for each in path.edges),
    )


def triple_message(triple: Triple) -> graph_service_pb2.Triple:
    """A statement as the contract has it."""
    return graph_service_pb2.Triple(
        subject=graph_service_pb2.TripleNode(
            node_type=node_type_number(triple.subject_type), name=triple.subject
        ),
        relation=edge_type_number(triple.relation),
        custom_type=triple.custom_type or "",
        object=graph_service_pb2.TripleNode(
            node_type=node_type_number(triple.object_type), name=triple.object
        ),
        content=triple.content,
        confidence=triple.confidence,
        valid_from=timestamp_of(triple.valid_from),
        valid_to=timestamp_of(triple.valid_to),
    )


def acting_user(
    user_id: str | None, default_user: str | None, *nodes: tuple[NodeType | str, str]
) -> str:
    """Whose graph a call is about, where its signature has no place for the user.

    The one given; else the client's default user; else the id of the first USER node among
    the arguments.

    Raises:
        ValueError: none of them tells.
    """
    if chosen := user_id or default_user:
        return chosen
    for kind, node_id in nodes:
        if _value(kind).upper() == NodeType.USER.value:
            return node_id
    raise ValueError(
        "whose graph is it? Pass user_id=…, or make the client with default_user=…, "
        "or name a USER node among the arguments"
    )


def default_custom_type(edge_type: EdgeType | str, properties: Mapping[str, Any] | None) -> str:
    """What a CUSTOM edge without a name is called: after its properties, else "custom"."""
    if _value(edge_type).upper() != EdgeType.CUSTOM.value:
        return ""
    named = (properties or {}).get
    names = (named("relation"), named("type"), named("name"))
    return next((name for name in names if isinstance(name, str) and name), "custom")


def _node_type_of(number: int) -> NodeType:
    return NodeType(NODE_TYPES.name(number).upper())


def _value(given: NodeType | EdgeType | str) -> str:
    return given.value if isinstance(given, (NodeType, EdgeType)) else given
