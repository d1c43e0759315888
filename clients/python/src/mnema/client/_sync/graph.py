# Written by tools/sync_client.py from _async/graph.py: change that file, not this one.
"""The graph: nodes, edges, neighbours, paths."""

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from mnema.client._convert.graph import (
    Direction,
    acting_user,
    direction_number,
    edge_types_of,
    neighbor_of,
    node_key,
    node_of,
    node_type_number,
    path_of,
)
from mnema.client._convert.json_values import struct_of
from mnema.client._convert.times import timestamp_of
from mnema.client._sync.calls import Caller, take
from mnema.client._sync.edges import Edges
from mnema.client.graph import EdgeType, Neighbor, Node, NodeType, Path
from mnema.v1 import graph_service_pb2 as pb
from mnema.v1 import types_pb2
from mnema.v1.graph_service_pb2_grpc import GraphServiceStub


class Graph(Edges):
    """A user's graph: `nm.graph`.

    Types are members of NodeType and EdgeType, or their names. Where a signature has no
    `user_id` in its place, the graph is that of the `user_id` keyword, else of the client's
    `default_user`, else of the first USER node among the arguments.

    Example:
        with Mnema() as nm:
            nm.graph.create_node(NodeType.USER, "alice", properties={"name": "Alice"})
            nm.graph.create_edge(
                NodeType.USER, "alice", EdgeType.WORKS_AT, NodeType.ENTITY, "google"
            )
            for each in nm.graph.get_neighbors("alice", NodeType.USER, "alice"):
                print(each.edge.relation, each.node.name)
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create_node(
        self,
        node_type: NodeType | str,
        node_id: str,
        properties: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        user_id: str | None = None,
    ) -> Node:
        """Stores a node.

        Args:
            node_type: what it stands for.
            node_id: its id within its type: lower case with underscores, such as "new_york".
            properties: anything else that is known of it: JSON of at most 16 KiB.
            name: the name as people write it. Default: the property "name", else the id.
            user_id: whose graph it is; see the class.

        Raises:
            AlreadyExists: there is a node of that type and id.
        """
        node = types_pb2.Node(
            node_type=node_type_number(node_type),
            node_id=node_id,
            name=name or _name_in(properties) or "",
            properties=struct_of(properties),
        )
        user = acting_user(user_id, self._caller.default_user, (node_type, node_id))
        stub = self._caller.stub(GraphServiceStub)
        request = pb.CreateNodeRequest(user_id=user, node=node)
        return node_of((self._caller.write(stub.CreateNode, request)).node)

    def get_node(
        self,
        user_id: str,
        node_type: NodeType | str,
        node_id: str,
        *,
        as_of: datetime | None = None,
    ) -> Node:
        """Gets a node, as it stood at `as_of` (default: now).

        Raises:
            NotFound: there is none.
        """
        stub = self._caller.stub(GraphServiceStub)
        request = pb.GetNodeRequest(
            user_id=user_id,
            node_type=node_type_number(node_type),
            node_id=node_id,
            as_of=timestamp_of(as_of),
        )
        return node_of((self._caller.read(stub.GetNode, request)).node)

    def list_nodes(
        self,
        user_id: str,
        node_type: NodeType | str | None = None,
        limit: int = 100,
        *,
        as_of: datetime | None = None,
    ) -> list[Node]:
        """Lists nodes by type and id, as they stood at `as_of` (default: now).

        `node_type`: only those of this type.
        """
        return take(self._nodes(user_id, node_type, limit, as_of), limit)

    def iter_nodes(self, user_id: str, node_type: NodeType | str | None = None) -> Generator[Node]:
        """Iterates over all nodes that `list_nodes` would list."""
        return self._nodes(user_id, node_type, None, None)

    def _nodes(
        self,
        user_id: str,
        node_type: NodeType | str | None,
        limit: int | None,
        as_of: datetime | None,
    ) -> Generator[Node]:
        stub = self._caller.stub(GraphServiceStub)
        request = pb.ListNodesRequest(user_id=user_id, as_of=timestamp_of(as_of))
        if node_type is not None:
            request.node_type = node_type_number(node_type)
        for page in self._caller.pages(stub.ListNodes, request, limit):
            for node in page.nodes:
                yield node_of(node)

    def update_node(
        self,
        node_type: NodeType | str,
        node_id: str,
        properties: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        user_id: str | None = None,
    ) -> Node:
        """Changes a node's name or properties.

        Args:
            node_type: the node's type.
            node_id: the node's id.
            properties: merged into the ones it has; one set to None is removed.
            name: its new name. Default: the property "name", if there is a new one.
            user_id: whose graph it is; see the class.

        Raises:
            NotFound: there is none.
            ValueError: neither properties nor name is given.
        """
        name = name or _name_in(properties)
        given = {"name": name, "properties": properties}
        paths = [field for field, value in given.items() if value is not None]
        if not paths:
            raise ValueError("nothing to change: give properties or a name")
        node = types_pb2.Node(
            node_type=node_type_number(node_type),
            node_id=node_id,
            name=name or "",
            properties=struct_of(properties),
        )
        user = acting_user(user_id, self._caller.default_user, (node_type, node_id))
        stub = self._caller.stub(GraphServiceStub)
        request = pb.UpdateNodeRequest(user_id=user, node=node, update_mask=FieldMask(paths=paths))
        return node_of((self._caller.write(stub.UpdateNode, request)).node)

    def delete_node(
        self, node_type: NodeType | str, node_id: str, *, user_id: str | None = None
    ) -> bool:
        """Takes a node back together with its edges; whether it was there.

        Reads as of an earlier moment still have them.
        """
        user = acting_user(user_id, self._caller.default_user, (node_type, node_id))
        stub = self._caller.stub(GraphServiceStub)
        request = pb.DeleteNodeRequest(
            user_id=user, node_type=node_type_number(node_type), node_id=node_id
        )
        return (self._caller.once(stub.DeleteNode, request)).deleted

    def get_neighbors(
        self,
        user_id: str,
        node_type: NodeType | str,
        node_id: str,
        edge_types: Sequence[EdgeType | str] | EdgeType | str | None = None,
        direction: Direction = "both",
        limit: int = 10,
        *,
        as_of: datetime | None = None,
        include_closed: bool = False,
    ) -> list[Neighbor]:
        """Lists a node's edges with the nodes at their other ends, the newest first.

        Args:
            user_id: whose graph it is.
            node_type: the node's type.
            node_id: the node's id.
            edge_types: only edges of these types. Default: all.
            direction: "out" (from the node), "in" (to it) or "both".
            limit: how many at most.
            as_of: reads the graph as it stood at that moment. Default: now.
            include_closed: also edges that are no longer true.
        """
        request = pb.ListNeighborsRequest(
            user_id=user_id,
            node_type=node_type_number(node_type),
            node_id=node_id,
            edge_types=edge_types_of(edge_types),
            direction=direction_number(direction),
            as_of=timestamp_of(as_of),
            include_closed=include_closed,
        )
        return take(self._neighbors(request, limit), limit)

    def _neighbors(self, request: pb.ListNeighborsRequest, limit: int) -> Generator[Neighbor]:
        stub = self._caller.stub(GraphServiceStub)
        for page in self._caller.pages(stub.ListNeighbors, request, limit):
            for neighbor in page.neighbors:
                yield neighbor_of(neighbor)

    def find_path(
        self,
        source_type: NodeType | str,
        source_id: str,
        target_type: NodeType | str,
        target_id: str,
        max_depth: int = 3,
        *,
        limit: int = 10,
        as_of: datetime | None = None,
        user_id: str | None = None,
    ) -> list[Path]:
        """Finds paths between two nodes, the shortest first; edges count in both directions.

        Args:
            source_type: the type of the node where the paths start.
            source_id: its id.
            target_type: the type of the node where they end.
            target_id: its id.
            max_depth: how many edges a path has at most: 1 to 10.
            limit: how many paths at most: 1 to 200.
            as_of: reads the graph as it stood at that moment. Default: now.
            user_id: whose graph it is; see the class.
        """
        user = acting_user(
            user_id,
            self._caller.default_user,
            (source_type, source_id),
            (target_type, target_id),
        )
        stub = self._caller.stub(GraphServiceStub)
        request = pb.FindPathsRequest(
            user_id=user,
            source=node_key(source_type, source_id),
            target=node_key(target_type, target_id),
            max_depth=max_depth,
            limit=limit,
            as_of=timestamp_of(as_of),
        )
        return [path_of(each) for each in (self._caller.read(stub.FindPaths, request)).paths]


def _name_in(properties: Mapping[str, Any] | None) -> str | None:
    """The name among a node's properties, where neuromem has it."""
    name = properties.get("name") if properties else None
    return name if isinstance(name, str) and name else None
