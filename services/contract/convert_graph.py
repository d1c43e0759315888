"""Nodes and edges of the graph: the contract's form and the storage's."""

from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message

from mnema.v1.types_pb2 import Edge, EdgeType, Node, NodeKey, NodeType
from services.contract.convert_message import datetime_of, timestamp_of
from services.contract.json_values import struct_of
from services.storage import relations
from services.storage.graph_edges import EdgeRow
from services.storage.graph_nodes import NodeRow

_NODE_PREFIX = "NODE_TYPE_"
_EDGE_PREFIX = "EDGE_TYPE_"


def node_type_name(node_type: "NodeType.ValueType") -> str:
    """The storage's name of a kind of node ("PERSON")."""
    return NodeType.Name(node_type).removeprefix(_NODE_PREFIX)


def edge_type_name(edge_type: "EdgeType.ValueType") -> str:
    """The storage's name of a kind of edge ("WORKS_AT")."""
    return EdgeType.Name(edge_type).removeprefix(_EDGE_PREFIX)


def key_of(key: NodeKey | Node) -> relations.NodeKey:
    """The identity of a node."""
    return relations.NodeKey(node_type_name(key.node_type), key.node_id)


def key_message(key: relations.NodeKey) -> NodeKey:
    """The identity of a node, as the contract shows it."""
    return NodeKey(node_type=NodeType.Value(_NODE_PREFIX + key.node_type), node_id=key.node_id)


def moment_of(message: Message, field: str) -> datetime | None:
    """The Timestamp in a field; None where it is not set."""
    return datetime_of(getattr(message, field)) if message.HasField(field) else None


def node_message(row: NodeRow) -> Node:
    """A node, as the contract shows it."""
    return Node(
        node_type=NodeType.Value(_NODE_PREFIX + row.key.node_type),
        node_id=row.key.node_id,
        name=row.name,
        properties=struct_of(row.properties) if row.properties else None,
        created_at=timestamp_of(row.first_recorded_at),
        updated_at=timestamp_of(row.recorded_at),
    )


def edge_message(row: EdgeRow) -> Edge:
    """An edge, as the contract shows it."""
    return Edge(
        edge_id=str(row.edge_id),
        source=key_message(row.source),
        edge_type=EdgeType.Value(_EDGE_PREFIX + row.edge_type),
        custom_type=row.custom_type,
        target=key_message(row.target),
        weight=row.weight,
        confidence=row.confidence,
        properties=struct_of(row.properties) if row.properties else None,
        content=row.content,
        valid_from=timestamp_of(row.valid_from) if row.valid_from else None,
        valid_to=timestamp_of(row.valid_to) if row.valid_to else None,
        created_at=timestamp_of(row.first_recorded_at),
        retracted_at=timestamp_of(row.retracted_at) if row.retracted_at else None,
        closed_reason=row.closed_reason,
        superseded_by=_text(row.superseded_by),
        source_message_ids=[str(each) for each in row.source_message_ids],
    )


def _text(identity: UUID | None) -> str:
    return "" if identity is None else str(identity)
