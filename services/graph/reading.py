"""Reading several parts of the graph as they stood at one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.graph.paths import MAX_EDGES_OF_NODE, Route, find_routes
from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.graph_edges import EdgeRow
from services.storage.graph_nodes import NodeRow, get_nodes
from services.storage.graph_reads import (
    Link,
    NearEdge,
    NeighborQuery,
    edges_by_id,
    edges_near,
    links_of,
)
from services.storage.relations import NodeKey


@dataclass(frozen=True, slots=True)
class Neighbor:
    """An edge of a node, and the node at its other end (None if that one was taken back)."""

    near: NearEdge
    node: NodeRow | None


@dataclass(frozen=True, slots=True)
class Path:
    """A way through the graph: nodes, and the edges between them, one less."""

    nodes: tuple[NodeRow, ...]
    edges: tuple[EdgeRow, ...]


async def list_neighbors(
    connection: Connection, owner_id: OwnerId, key: NodeKey, query: NeighborQuery
) -> list[Neighbor]:
    """A node's edges, the newest first; none for a node that is not there."""
    near = await edges_near(connection, owner_id, [key], query)
    nodes = await get_nodes(connection, owner_id, {each.other for each in near}, query.as_of)
    return [Neighbor(each, nodes.get(each.other)) for each in near]


async def find_paths(
    connection: Connection,
    owner_id: OwnerId,
    ends: tuple[NodeKey, NodeKey],
    as_of: datetime | None,
    *,
    max_depth: int,
    limit: int,
) -> list[Path]:
    """Paths from one end to the other over edges that are true (see services.graph.paths)."""

    async def expand(nodes: Sequence[NodeKey], most: int) -> list[Link]:
        return await links_of(connection, owner_id, nodes, as_of, MAX_EDGES_OF_NODE, most)

    routes = await find_routes(*ends, expand, max_depth=max_depth, limit=limit)
    nodes = await get_nodes(connection, owner_id, _nodes_of(routes), as_of)
    edge_ids = {edge_id for route in routes for edge_id in route.edge_ids}
    edges = await edges_by_id(connection, owner_id, edge_ids, as_of)
    return [
        Path(
            tuple(nodes[key] for key in route.nodes),
            tuple(edges[edge_id] for edge_id in route.edge_ids),
        )
        for route in routes
        if all(key in nodes for key in route.nodes)
    ]


def _nodes_of(routes: Sequence[Route]) -> set[NodeKey]:
    return {key for route in routes for key in route.nodes}
