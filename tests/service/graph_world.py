"""The graph target, running, and short ways to call it as one user."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from mnema.v1 import graph_service_pb2 as pb
from mnema.v1 import graph_service_pb2_grpc
from mnema.v1.types_pb2 import Edge, EdgeType, Node, NodeKey, NodeType
from services.graph.target import build_graph
from services.runtime.database import Database
from tests.conftest import TestDatabase
from tests.patience import PATIENCE
from tests.service.serving import new_tenant, serving, settings_for


def year(number: int) -> Timestamp:
    return Timestamp(seconds=int(datetime(number, 1, 1, tzinfo=UTC).timestamp()))


def key(node_id: str, kind: str = "PERSON") -> NodeKey:
    return NodeKey(node_type=NodeType.Value(f"NODE_TYPE_{kind}"), node_id=node_id)


def node(node_id: str, kind: str = "PERSON", **fields: Any) -> Node:
    properties = Struct()
    properties.update(fields.pop("properties", {}))
    return Node(node_type=key(node_id, kind).node_type, node_id=node_id, **fields,
                properties=properties)  # fmt: skip


def edge(source: str, relation: str, target: str, **fields: Any) -> Edge:
    """An edge between persons."""
    properties = Struct()
    properties.update(fields.pop("properties", {}))
    edge_type = EdgeType.Value(f"EDGE_TYPE_{relation}")
    return Edge(source=key(source), edge_type=edge_type, target=key(target), **fields,
                properties=properties)  # fmt: skip


def triple(subject: str, relation: str, target: str, **fields: Any) -> pb.Triple:
    """A statement; "PERSON:Bob" and the like name the kind of an end, PERSON if it is left out."""

    def end(text: str) -> pb.TripleNode:
        kind, _, name = text.rpartition(":")
        return pb.TripleNode(node_type=key("", kind or "PERSON").node_type, name=name)

    relation_value = EdgeType.Value(f"EDGE_TYPE_{relation}")
    return pb.Triple(subject=end(subject), relation=relation_value, object=end(target), **fields)


@dataclass(frozen=True)
class GraphCaller:
    """One user of one tenant, calling over a real channel."""

    stub: Any
    key: str
    user_id: str = "alice"

    def as_user(self, user_id: str) -> "GraphCaller":
        return replace(self, user_id=user_id)

    async def call(self, method: str, **fields: Any) -> Any:
        request = getattr(pb, f"{method}Request")(**{"user_id": self.user_id, **fields})
        metadata = (("x-api-key", self.key),)
        return await getattr(self.stub, method)(request, metadata=metadata, timeout=PATIENCE)

    async def fails(self, method: str, **fields: Any) -> tuple[str, str, dict[str, str]]:
        """Code, reason and metadata of a call that must fail."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(method, **fields)
        status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]
        assert status is not None
        info = error_details_pb2.ErrorInfo()
        assert status.details[0].Unpack(info)
        return caught.value.code().name, info.reason, dict(info.metadata)

    async def state(self, *triples: pb.Triple, **fields: Any) -> pb.AddTriplesResponse:
        answer: pb.AddTriplesResponse = await self.call("AddTriples", triples=triples, **fields)
        return answer

    async def facts(self, query: str, **fields: Any) -> list[str]:
        """Facts as "Caroline WORKS_AT Google"."""
        answer = await self.call("FindFacts", query=query, **fields)
        return [f"{fact.subject} {fact.relation} {fact.object}" for fact in answer.facts]

    async def paths(self, source: str, target: str, **fields: Any) -> list[str]:
        """Paths between persons as "a-b-c"."""
        ends = {"source": key(source), "target": key(target)}
        answer = await self.call("FindPaths", **ends, **fields)
        for path in answer.paths:
            assert len(path.edges) == len(path.nodes) - 1
            for first, edge, second in zip(path.nodes, path.edges, path.nodes[1:], strict=False):
                ends_of_edge = {edge.source.node_id, edge.target.node_id}
                assert ends_of_edge == {first.node_id, second.node_id}
        return ["-".join(node.node_id for node in path.nodes) for path in answer.paths]


@dataclass(frozen=True)
class GraphService:
    """A running graph target with two tenants."""

    alice: GraphCaller
    stranger: GraphCaller
    database: Database


@asynccontextmanager
async def graph_service(test_database: TestDatabase) -> AsyncIterator[GraphService]:
    settings = settings_for(test_database.service_dsn)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(settings.database))
        servicers = await build_graph(settings, stack)
        address = await stack.enter_async_context(serving(servicers, settings))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        stub: Any = graph_service_pb2_grpc.GraphServiceStub(channel)
        _, first = await new_tenant(database, "first")
        _, second = await new_tenant(database, "second")
        yield GraphService(GraphCaller(stub, first), GraphCaller(stub, second), database)
