"""Reading the graph around nodes; what is read is bounded, however many edges a node has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias
from uuid import UUID

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.graph_edges import EdgeRow, edge_of, known_edge
from services.storage.queries import load
from services.storage.relations import EDGE_TYPES, NodeKey

SQL = load("graph_edges")
Place: TypeAlias = tuple[datetime, UUID]
# Before it, in the order from new to old, comes every edge.
NEWEST: Place = (datetime(9999, 12, 31, tzinfo=UTC), UUID(int=2**128 - 1))
Direction = Literal["out", "in", "both"]


@dataclass(frozen=True, slots=True)
class NeighborQuery:
    """Which edges of a node are meant.

    `edge_types` empty: all. `as_of` None: as they stand now. `closed`: also those that are no
    longer true. `before`: only edges older than the one in this place (`place_of`).
    """

    limit: int
    edge_types: tuple[str, ...] = ()
    direction: Direction = "both"
    as_of: datetime | None = None
    closed: bool = False
    before: Place = NEWEST


@dataclass(frozen=True, slots=True)
class NearEdge:
    """An edge of a node, and whether it leads out of it or into it."""

    edge: EdgeRow
    direction: Literal["out", "in"]

    @property
    def node(self) -> NodeKey:
        """The node whose edge it is."""
        return self.edge.source if self.direction == "out" else self.edge.target

    @property
    def other(self) -> NodeKey:
        """The node at the other end."""
        return self.edge.target if self.direction == "out" else self.edge.source


def place_of(edge: EdgeRow) -> Place:
    """Where an edge stands in the order of age: its first record time, then its id."""
    return edge.first_recorded_at, edge.edge_id


@dataclass(frozen=True, slots=True)
class Link:
    """An edge, as far as a search for paths needs to know it."""

    edge_id: UUID
    source: NodeKey
    target: NodeKey


async def edges_near(
    connection: Connection, owner_id: OwnerId, nodes: Iterable[NodeKey], query: NeighborQuery
) -> list[NearEdge]:
    """The edges of each node, `query.limit` of each at most, the newest first.

    An edge between two of the nodes comes twice.
    """
    keys = sorted(set(nodes))
    rows = await connection.fetch(
        SQL["edges_of_nodes"],
        owner_id,
        [key.node_type for key in keys],
        [key.node_id for key in keys],
        list(query.edge_types or EDGE_TYPES),
        query.as_of,
        query.closed,
        *query.before,
        query.limit,
        query.direction,
    )
    found = []
    for row in rows:
        values = dict(row)
        direction = values.pop("direction")
        found.append(NearEdge(known_edge(edge_of(values), query.as_of), direction))
    return found


async def edges_between(
    connection: Connection,
    owner_id: OwnerId,
    nodes: Sequence[NodeKey],
    as_of: datetime | None,
    limit: int,
) -> list[EdgeRow]:
    """True edges from one of the nodes to another, `limit` of each pair at most."""
    rows = await connection.fetch(
        SQL["edges_between"],
        owner_id,
        [key.node_type for key in nodes],
        [key.node_id for key in nodes],
        as_of,
        limit,
    )
    return [known_edge(edge_of(row), as_of) for row in rows]


async def links_of(
    connection: Connection,
    owner_id: OwnerId,
    nodes: Sequence[NodeKey],
    as_of: datetime | None,
    per_node: int,
    limit: int,
) -> list[Link]:
    """True edges of the nodes in both directions: `per_node` of each in each, `limit` in all."""
    rows = await connection.fetch(
        SQL["links_of_nodes"],
        owner_id,
        [key.node_type for key in nodes],
        [key.node_id for key in nodes],
        as_of,
        per_node,
        limit,
    )
    return [
        Link(edge_id, NodeKey(source_type, source_id), NodeKey(target_type, target_id))
        for edge_id, source_type, source_id, target_type, target_id in rows
    ]


async def edges_by_id(
    connection: Connection, owner_id: OwnerId, edge_ids: Iterable[UUID], as_of: datetime | None
) -> dict[UUID, EdgeRow]:
    """Those of the edges that stand, or stood at `as_of`."""
    rows = await connection.fetch(SQL["edges_by_id"], owner_id, sorted(set(edge_ids)), as_of)
    return {row["edge_id"]: known_edge(edge_of(row), as_of) for row in rows}
