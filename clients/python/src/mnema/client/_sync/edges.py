# Written by tools/sync_client.py from _async/edges.py: change that file, not this one.
"""The graph's edges, and the statements they come from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from mnema.client._convert.graph import (
    acting_user,
    default_custom_type,
    edge_of,
    edge_type_number,
    node_key,
    triple_message,
)
from mnema.client._convert.json_values import struct_of
from mnema.client._convert.recall import graph_facts
from mnema.client._convert.times import timestamp_of
from mnema.client._sync.calls import Caller
from mnema.client.graph import Edge, EdgeType, NodeType, Triple, TripleOutcome
from mnema.client.results import GraphResult
from mnema.v1 import graph_service_pb2 as pb
from mnema.v1 import types_pb2
from mnema.v1.graph_service_pb2_grpc import GraphServiceStub


class Edges:
    """The part of `nm.graph` that deals with edges."""

    _caller: Caller

    def create_edge(  # noqa: PLR0913 - the names are part of the interface
        self,
        source_type: NodeType | str,
        source_id: str,
        edge_type: EdgeType | str,
        target_type: NodeType | str,
        target_id: str,
        properties: Mapping[str, Any] | None = None,
        *,
        custom_type: str | None = None,
        weight: float | None = None,
        content: str = "",
        confidence: float | None = None,
        valid_from: datetime | None = None,
        valid_to: datetime | None = None,
        user_id: str | None = None,
    ) -> Edge:
        """Stores an edge as it is given; unlike `add_triples` it closes none.

        Nodes that do not exist are made.

        Args:
            source_type: the type of the node where it starts.
            source_id: its id.
            edge_type: how the two are related.
            target_type: the type of the node where it ends.
            target_id: its id.
            properties: anything else that is known of it: JSON of at most 16 KiB.
            custom_type: the relation's name if it is CUSTOM: at most 128 characters. Default: the
                property "relation", "type" or "name", else "custom".
            weight: how strong it is: 0 to 1. Default: 1.
            content: the statement behind it, in words.
            confidence: how sure it is: 0 to 1.
            valid_from: since when it has been true: an aware datetime.
            valid_to: until when it was true. Default: it still is.
            user_id: whose graph it is; see the class.
        """
        user = acting_user(
            user_id,
            self._caller.default_user,
            (source_type, source_id),
            (target_type, target_id),
        )
        edge = types_pb2.Edge(
            source=node_key(source_type, source_id),
            edge_type=edge_type_number(edge_type),
            target=node_key(target_type, target_id),
            custom_type=custom_type or default_custom_type(edge_type, properties),
            weight=weight,
            properties=struct_of(properties),
            content=content,
            confidence=confidence,
            valid_from=timestamp_of(valid_from),
            valid_to=timestamp_of(valid_to),
        )
        stub = self._caller.stub(GraphServiceStub)
        request = pb.CreateEdgeRequest(user_id=user, edge=edge)
        return edge_of((self._caller.write(stub.CreateEdge, request)).edge)

    def get_edge(self, user_id: str, edge_id: str, *, as_of: datetime | None = None) -> Edge:
        """Gets an edge, also one that was closed or taken back.

        Raises:
            NotFound: there is none (or was none at `as_of`).
        """
        stub = self._caller.stub(GraphServiceStub)
        request = pb.GetEdgeRequest(user_id=user_id, edge_id=edge_id, as_of=timestamp_of(as_of))
        return edge_of((self._caller.read(stub.GetEdge, request)).edge)

    def update_edge(
        self,
        user_id: str,
        edge_id: str,
        properties: Mapping[str, Any] | None = None,
        *,
        weight: float | None = None,
        content: str | None = None,
        valid_from: datetime | None = None,
        valid_to: datetime | None = None,
    ) -> Edge:
        """Changes an edge: what is given, the rest stays. Arguments as for `create_edge`.

        Properties are merged into the ones it has; one set to None is removed.

        Raises:
            NotFound: there is none.
            ValueError: nothing is given.
        """
        given = {
            "properties": properties,
            "weight": weight,
            "content": content,
            "valid_from": valid_from,
            "valid_to": valid_to,
        }
        paths = [field for field, value in given.items() if value is not None]
        if not paths:
            raise ValueError("nothing to change: give properties, weight, content, …")
        edge = types_pb2.Edge(
            edge_id=edge_id,
            properties=struct_of(properties),
            weight=weight,
            content=content or "",
            valid_from=timestamp_of(valid_from),
            valid_to=timestamp_of(valid_to),
        )
        stub = self._caller.stub(GraphServiceStub)
        request = pb.UpdateEdgeRequest(
            user_id=user_id, edge=edge, update_mask=FieldMask(paths=paths)
        )
        return edge_of((self._caller.write(stub.UpdateEdge, request)).edge)

    def delete_edge(self, user_id: str, edge_id: str) -> bool:
        """Takes an edge back; whether it was there. Reads as of earlier still have it."""
        stub = self._caller.stub(GraphServiceStub)
        request = pb.DeleteEdgeRequest(user_id=user_id, edge_id=edge_id)
        return (self._caller.once(stub.DeleteEdge, request)).deleted

    def add_triples(self, user_id: str, triples: Sequence[Triple]) -> TripleOutcome:
        """States 1 to 1,000 triples, all or none, and resolves what contradicts them.

        The same triple again refreshes its edge. For a single-valued relation (see EdgeType) a
        newer target closes the older edge; other relations close nothing.
        """
        stub = self._caller.stub(GraphServiceStub)
        request = pb.AddTriplesRequest(
            user_id=user_id, triples=[triple_message(each) for each in triples]
        )
        response = self._caller.write(stub.AddTriples, request)
        return TripleOutcome(
            edges=tuple(edge_of(each) for each in response.edges),
            closed_edges=tuple(edge_of(each) for each in response.closed_edges),
        )

    def find_facts(
        self, user_id: str, query: str, limit: int = 20, *, as_of: datetime | None = None
    ) -> list[GraphResult]:
        """Finds the facts about the people, places and things that a text names.

        "I" and "my" mean the user.

        Args:
            user_id: whose graph it is.
            query: the text: 1 to 8,192 characters.
            limit: how many at most: 1 to 200.
            as_of: reads the graph as it stood at that moment. Default: now.
        """
        stub = self._caller.stub(GraphServiceStub)
        request = pb.FindFactsRequest(
            user_id=user_id, query=query, limit=limit, as_of=timestamp_of(as_of)
        )
        return graph_facts(self._caller.read(stub.FindFacts, request))
