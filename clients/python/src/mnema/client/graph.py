"""The graph: its types of node and edge, and what calls on it return."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any


class NodeType(str, Enum):
    """What a node stands for."""

    USER = "USER"
    """The user whose memory it is."""
    MEMORY = "MEMORY"
    CONCEPT = "CONCEPT"
    """An idea or a topic."""
    ENTITY = "ENTITY"
    """A thing that none of the other types fits."""
    PERSON = "PERSON"
    ORGANIZATION = "ORGANIZATION"
    LOCATION = "LOCATION"
    EVENT = "EVENT"
    SKILL = "SKILL"

    def __str__(self) -> str:
        return self.value


class EdgeType(str, Enum):
    """How two nodes are related. Single-valued ones hold one target at a time."""

    HAS_MEMORY = "HAS_MEMORY"
    MENTIONS = "MENTIONS"
    RELATED_TO = "RELATED_TO"
    KNOWS = "KNOWS"
    ABOUT = "ABOUT"
    WORKS_AT = "WORKS_AT"
    """Single-valued."""
    LIVES_IN = "LIVES_IN"
    """Single-valued."""
    HAS_SKILL = "HAS_SKILL"
    STUDIED_AT = "STUDIED_AT"
    BELONGS_TO = "BELONGS_TO"
    USES = "USES"
    MET = "MET"
    ATTENDED = "ATTENDED"
    VISITED = "VISITED"
    OCCURRED_AT = "OCCURRED_AT"
    """Single-valued."""
    OCCURRED_ON = "OCCURRED_ON"
    """Single-valued."""
    HOBBY = "HOBBY"
    OWNS = "OWNS"
    LOCATED_IN = "LOCATED_IN"
    """Single-valued."""
    BORN_IN = "BORN_IN"
    """Single-valued."""
    SPEAKS = "SPEAKS"
    COLLEAGUE = "COLLEAGUE"
    CUSTOM = "CUSTOM"
    """Any other relation; its name is the edge's `custom_type`."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Node:
    """One node, named by its type and id together."""

    node_type: NodeType
    node_id: str
    """Lower case with underscores, such as "new_york"."""
    name: str
    """As people write it, such as "New York"."""
    properties: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Edge:
    """One edge, from its source to its target."""

    id: str
    source_type: NodeType
    source_id: str
    edge_type: EdgeType
    target_type: NodeType
    target_id: str
    created_at: datetime
    """When it was stored."""
    custom_type: str | None = None
    """The relation's name of a CUSTOM edge."""
    weight: float = 1.0
    """0 to 1."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    content: str = ""
    """The statement behind it, in words."""
    valid_from: datetime | None = None
    """Since when it has been true, where that is known."""
    valid_to: datetime | None = None
    """Until when it was true; None: it still is."""
    retracted_at: datetime | None = None
    """When it was taken back; None while it stands."""
    closed_reason: str | None = None
    superseded_by: str | None = None
    """The edge that closed this one."""
    source_message_ids: tuple[str, ...] = ()
    confidence: float | None = None
    """0 to 1."""

    @property
    def relation(self) -> str:
        """The relation's name: "WORKS_AT", or a CUSTOM edge's own."""
        return self.custom_type or self.edge_type.value


@dataclass(frozen=True)
class Neighbor:
    """One edge of a node, and the node at its other end."""

    edge: Edge
    node: Node
    direction: str
    """"out" if the edge leads away from the node asked about, "in" if it leads to it."""


@dataclass(frozen=True)
class Path:
    """A way from one node to another."""

    nodes: tuple[Node, ...]
    """From the source to the target."""
    edges: tuple[Edge, ...]
    """One less."""


@dataclass(frozen=True)
class Triple:
    """A statement to make: a subject, a relation, an object."""

    subject_type: NodeType
    subject: str
    """The name as people write it: 1 to 256 characters; the node's id is made from it."""
    relation: EdgeType
    object_type: NodeType
    object: str
    custom_type: str | None = None
    """The relation's name if it is CUSTOM: at most 128 characters."""
    content: str = ""
    """The statement in words."""
    confidence: float | None = None
    """0 to 1. None counts as 1."""
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True)
class TripleOutcome:
    """What became of stated triples."""

    edges: tuple[Edge, ...]
    """The edge of each triple, in their order."""
    closed_edges: tuple[Edge, ...]
    """The edges that were closed because of them."""
