"""The gRPC face of the graph."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import graph_service_pb2 as pb
from mnema.v1 import graph_service_pb2_grpc
from services.contract.convert_graph import (
    edge_message,
    edge_type_name,
    moment_of,
    node_message,
    node_type_name,
)
from services.contract.json_values import struct_dict
from services.graph import changes, convert
from services.graph.facts import find_facts
from services.graph.reading import find_paths, list_neighbors
from services.runtime.context import require_user, user_scope
from services.runtime.database import Connection, Database
from services.runtime.errors import NotFound
from services.runtime.ids import OwnerId
from services.runtime.paging import PageTokens, page_size
from services.runtime.scope import Scope
from services.storage import foundation, graph_edges, graph_nodes
from services.storage.graph import state
from services.storage.graph_reads import NEWEST, NeighborQuery, place_of
from services.storage.relations import NODE_TYPES, NodeKey
from services.storage.requests import WriteRequest, once

Context = aio.ServicerContext[Message, Message]
Answer = TypeVar("Answer", bound=Message)
Write = Callable[[Connection, OwnerId], Awaitable[Answer]]

DEFAULT_PAGE = 100
DEFAULT_PATHS = 10
DEFAULT_DEPTH = 3
DEFAULT_FACTS = 20


class UserWrite(WriteRequest, Protocol):
    """A request that changes what one user has."""

    user_id: str


class GraphServicer(graph_service_pb2_grpc.GraphServiceServicer):
    """A user's nodes, edges and triples; the contract's comments say what each call does."""

    def __init__(self, database: Database, tokens: PageTokens) -> None:
        self._database = database
        self._tokens = tokens

    async def CreateNode(
        self, request: pb.CreateNodeRequest, context: Context
    ) -> pb.CreateNodeResponse:
        node = convert.node_of_request(request.node)
        properties = struct_dict(request.node.properties)

        async def write(connection: Connection, owner_id: OwnerId) -> pb.CreateNodeResponse:
            made = await changes.create_node(connection, owner_id, node, properties)
            return pb.CreateNodeResponse(node=node_message(made))

        return await self._write_once(request, pb.CreateNodeResponse, write)

    async def GetNode(self, request: pb.GetNodeRequest, context: Context) -> pb.GetNodeResponse:
        scope, owner_id = _scope_of(request.user_id)
        key = NodeKey(node_type_name(request.node_type), request.node_id)
        async with self._reading(scope) as connection:
            node = await graph_nodes.get_node(
                connection, owner_id, key, moment_of(request, "as_of")
            )
        if node is None:
            raise NotFound("node", changes.node_name(key))
        return pb.GetNodeResponse(node=node_message(node))

    async def ListNodes(
        self, request: pb.ListNodesRequest, context: Context
    ) -> pb.ListNodesResponse:
        scope, owner_id = _scope_of(request.user_id)
        size = page_size(request.page_size, default=DEFAULT_PAGE)
        node_type, node_id = self._tokens.decode(request) or ("", "")
        types = [node_type_name(request.node_type)] if request.node_type else NODE_TYPES
        async with self._reading(scope) as connection:
            rows = await graph_nodes.list_nodes(
                connection,
                owner_id,
                types,
                NodeKey(str(node_type), str(node_id)),
                size + 1,
                moment_of(request, "as_of"),
            )
        answer = pb.ListNodesResponse(nodes=[node_message(row) for row in rows[:size]])
        if len(rows) > size:
            last = rows[size - 1].key
            answer.next_page_token = self._tokens.encode((last.node_type, last.node_id), request)
        return answer

    async def UpdateNode(
        self, request: pb.UpdateNodeRequest, context: Context
    ) -> pb.UpdateNodeResponse:
        key = convert.required_key(request.node, "node")
        values = convert.node_changes(request)

        async def write(connection: Connection, owner_id: OwnerId) -> pb.UpdateNodeResponse:
            node = await changes.update_node(connection, owner_id, key, values)
            return pb.UpdateNodeResponse(node=node_message(node))

        return await self._write_once(request, pb.UpdateNodeResponse, write)

    async def DeleteNode(
        self, request: pb.DeleteNodeRequest, context: Context
    ) -> pb.DeleteNodeResponse:
        key = NodeKey(node_type_name(request.node_type), request.node_id)

        async def write(connection: Connection, owner_id: OwnerId) -> pb.DeleteNodeResponse:
            deleted, edges = await changes.delete_node(connection, owner_id, key)
            return pb.DeleteNodeResponse(deleted=deleted, edges_deleted=edges)

        return await self._write(request.user_id, write)

    async def CreateEdge(
        self, request: pb.CreateEdgeRequest, context: Context
    ) -> pb.CreateEdgeResponse:
        edge = convert.edge_of_request(request.edge)

        async def write(connection: Connection, owner_id: OwnerId) -> pb.CreateEdgeResponse:
            made = await changes.create_edge(connection, owner_id, edge)
            return pb.CreateEdgeResponse(edge=edge_message(made))

        return await self._write_once(request, pb.CreateEdgeResponse, write)

    async def GetEdge(self, request: pb.GetEdgeRequest, context: Context) -> pb.GetEdgeResponse:
        scope, owner_id = _scope_of(request.user_id)
        async with self._reading(scope) as connection:
            edge = await changes.get_edge(
                connection, owner_id, UUID(request.edge_id), moment_of(request, "as_of")
            )
        return pb.GetEdgeResponse(edge=edge_message(edge))

    async def UpdateEdge(
        self, request: pb.UpdateEdgeRequest, context: Context
    ) -> pb.UpdateEdgeResponse:
        edge_id = convert.edge_id_of(request.edge.edge_id, "edge.edge_id")
        values = convert.edge_changes(request)

        async def write(connection: Connection, owner_id: OwnerId) -> pb.UpdateEdgeResponse:
            edge = await changes.update_edge(connection, owner_id, edge_id, values)
            return pb.UpdateEdgeResponse(edge=edge_message(edge))

        return await self._write_once(request, pb.UpdateEdgeResponse, write)

    async def DeleteEdge(
        self, request: pb.DeleteEdgeRequest, context: Context
    ) -> pb.DeleteEdgeResponse:
        edge_id = UUID(request.edge_id)

        async def write(connection: Connection, owner_id: OwnerId) -> pb.DeleteEdgeResponse:
            deleted = await graph_edges.delete_edge(connection, owner_id, edge_id)
            return pb.DeleteEdgeResponse(deleted=deleted)

        return await self._write(request.user_id, write)

    async def ListNeighbors(
        self, request: pb.ListNeighborsRequest, context: Context
    ) -> pb.ListNeighborsResponse:
        scope, owner_id = _scope_of(request.user_id)
        size = page_size(request.page_size, default=DEFAULT_PAGE)
        key = NodeKey(node_type_name(request.node_type), request.node_id)
        query = self._neighbor_query(request, size + 1)
        async with self._reading(scope) as connection:
            rows = await list_neighbors(connection, owner_id, key, query)
        answer = pb.ListNeighborsResponse(
            neighbors=[convert.neighbor_message(row) for row in rows[:size]]
        )
        if len(rows) > size:
            recorded_at, edge_id = place_of(rows[size - 1].near.edge)
            cursor = (recorded_at.isoformat(), str(edge_id))
            answer.next_page_token = self._tokens.encode(cursor, request)
        return answer

    async def FindPaths(
        self, request: pb.FindPathsRequest, context: Context
    ) -> pb.FindPathsResponse:
        scope, owner_id = _scope_of(request.user_id)
        ends = (
            convert.required_key(request.source, "source"),
            convert.required_key(request.target, "target"),
        )
        async with self._reading(scope) as connection:
            paths = await find_paths(
                connection,
                owner_id,
                ends,
                moment_of(request, "as_of"),
                max_depth=request.max_depth or DEFAULT_DEPTH,
                limit=request.limit or DEFAULT_PATHS,
            )
        return pb.FindPathsResponse(paths=[convert.path_message(path) for path in paths])

    async def AddTriples(
        self, request: pb.AddTriplesRequest, context: Context
    ) -> pb.AddTriplesResponse:
        statements = [
            convert.statement_of(triple, position)
            for position, triple in enumerate(request.triples)
        ]

        async def write(connection: Connection, owner_id: OwnerId) -> pb.AddTriplesResponse:
            return convert.triples_response(await state(connection, owner_id, statements))

        return await self._write_once(request, pb.AddTriplesResponse, write)

    async def FindFacts(
        self, request: pb.FindFactsRequest, context: Context
    ) -> pb.FindFactsResponse:
        scope, owner_id = _scope_of(request.user_id)
        limit, as_of = request.limit or DEFAULT_FACTS, moment_of(request, "as_of")
        async with self._reading(scope, plan_once=True) as connection:
            found = await find_facts(connection, owner_id, request.query, limit, as_of)
        return pb.FindFactsResponse(
            facts=[convert.fact_message(fact) for fact in found.facts],
            entities=[node_message(node) for node in found.entities],
        )

    def _neighbor_query(self, request: pb.ListNeighborsRequest, limit: int) -> NeighborQuery:
        cursor = self._tokens.decode(request)
        before = NEWEST
        if cursor is not None:
            before = datetime.fromisoformat(str(cursor[0])), UUID(str(cursor[1]))
        return NeighborQuery(
            limit,
            tuple(dict.fromkeys(edge_type_name(each) for each in request.edge_types)),
            convert.DIRECTIONS[request.direction],
            moment_of(request, "as_of"),
            request.include_closed,
            before,
        )

    def _reading(
        self, scope: Scope, *, plan_once: bool = False
    ) -> AbstractAsyncContextManager[Connection]:
        """Several statements that see one state of the database."""
        return self._database.transaction(
            scope, readonly=True, isolation="repeatable_read", plan_once=plan_once
        )

    async def _write(self, user_id: str, write: Write[Answer]) -> Answer:
        """`write` as the only writer of the user's graph, in a transaction of its own."""
        scope, owner_id = _scope_of(user_id)

        async def work(connection: Connection) -> Answer:
            await foundation.lock_owner(connection, owner_id)
            if scope.tenant_id is not None:
                await foundation.register_user(connection, owner_id, scope.tenant_id, user_id)
            return await write(connection, owner_id)

        return await self._database.run(scope, work)

    async def _write_once(
        self, request: UserWrite, answer_type: type[Answer], write: Write[Answer]
    ) -> Answer:
        """`_write`, answered again when the same request_id comes again."""

        async def work(connection: Connection, owner_id: OwnerId) -> Answer:
            return await once(
                connection, owner_id, request, answer_type, lambda: write(connection, owner_id)
            )

        return await self._write(request.user_id, work)


def _scope_of(user_id: str) -> tuple[Scope, OwnerId]:
    return user_scope(user_id), require_user(user_id)
