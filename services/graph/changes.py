"""Writing single nodes and edges, as they are given."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.runtime.database import Connection
from services.runtime.errors import AlreadyExists, NotFound, invalid
from services.runtime.ids import OwnerId
from services.runtime.limits import DEFAULT_JSON
from services.storage import graph_edges, graph_nodes
from services.storage.graph_edges import EdgeRow
from services.storage.graph_nodes import NodeRow
from services.storage.relations import NodeKey, NodeRef

ENDED = "ended"
NODE_FIELDS = frozenset({"name", "properties"})
EDGE_FIELDS = frozenset({"properties", "weight", "content", "valid_from", "valid_to"})


def check_mask(paths: Sequence[str], known: frozenset[str]) -> frozenset[str]:
    """The fields to change. InvalidArgument (FIELD_MASK_INVALID) if one can't be."""
    for path in paths:
        if path not in known:
            fields = ", ".join(sorted(known))
            raise invalid(
                "update_mask", f"{path!r} can't be updated, only {fields}", "FIELD_MASK_INVALID"
            )
    return frozenset(paths)


def merged(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Properties with new values put in; null removes one.

    InvalidArgument (FIELD_TOO_LONG) if they grow over what a request may hold.
    """
    values = {name: value for name, value in {**before, **given}.items() if value is not None}
    size = len(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode())
    if before and size > DEFAULT_JSON.maximum:
        raise invalid(
            "properties", f"{size} bytes when merged, over {DEFAULT_JSON.maximum}", "FIELD_TOO_LONG"
        )
    return values


async def create_node(
    connection: Connection, owner_id: OwnerId, node: NodeRef, properties: Mapping[str, Any]
) -> NodeRow:
    """Stores a node. AlreadyExists if there is one of that kind and id."""
    made = await graph_nodes.create_node(connection, owner_id, node, merged({}, properties))
    if made is None:
        raise _exists("node", node_name(node.key))
    return made


async def update_node(
    connection: Connection,
    owner_id: OwnerId,
    key: NodeKey,
    changes: Mapping[str, Any],
) -> NodeRow:
    """Changes `name` or `properties`, whichever `changes` has. NotFound if there is no node."""
    present = await graph_nodes.get_node(connection, owner_id, key)
    if present is None:
        raise NotFound("node", node_name(key))
    name = changes.get("name", present.name) or key.node_id
    properties = merged(present.properties, changes.get("properties", {}))
    if (name, properties) == (present.name, present.properties):
        return present
    return await graph_nodes.revise_node(connection, owner_id, key, name, properties)


async def delete_node(connection: Connection, owner_id: OwnerId, key: NodeKey) -> tuple[bool, int]:
    """Takes a node and its edges back: whether it was there, and how many edges it had."""
    if not await graph_nodes.delete_node(connection, owner_id, key):
        return False, 0
    return True, await graph_edges.delete_edges_of(connection, owner_id, key)


async def create_edge(connection: Connection, owner_id: OwnerId, edge: EdgeRow) -> EdgeRow:
    """Stores an edge and the nodes it lacks. AlreadyExists if the same one is open."""
    if edge.valid_to is None:
        await _refuse_second(connection, owner_id, edge)
    ends = [NodeRef(end.node_type, end.node_id, "") for end in (edge.source, edge.target)]
    await graph_nodes.ensure_nodes(connection, owner_id, ends)
    moment = await graph_edges.transaction_time(connection)
    fresh = replace(
        edge,
        properties=merged({}, edge.properties),
        closed_reason=ENDED if edge.valid_to else "",
        first_recorded_at=moment,
        recorded_at=moment,
    )
    await graph_edges.insert_edges(connection, owner_id, [fresh])
    return fresh


async def get_edge(
    connection: Connection, owner_id: OwnerId, edge_id: UUID, as_of: datetime | None = None
) -> EdgeRow:
    """An edge, also one that was taken back. NotFound if there never was one (by `as_of`)."""
    edge = await graph_edges.get_edge(connection, owner_id, edge_id, as_of)
    if edge is None:
        raise NotFound("edge", str(edge_id))
    return edge


async def update_edge(
    connection: Connection, owner_id: OwnerId, edge_id: UUID, changes: Mapping[str, Any]
) -> EdgeRow:
    """Changes the fields that `changes` has. NotFound if the edge does not stand.

    Setting `valid_to` ends the edge, unsetting it opens the edge again: AlreadyExists if the
    same one is open.
    """
    present = await get_edge(connection, owner_id, edge_id)
    if present.retracted_at is not None:
        raise NotFound("edge", str(edge_id))
    values = dict(changes)
    if "properties" in values:
        values["properties"] = merged(present.properties, values["properties"])
    fresh = replace(present, **values)
    if fresh.valid_to != present.valid_to:
        reason = ENDED if fresh.valid_to else ""
        fresh = replace(fresh, closed_reason=reason, superseded_by=None)
    check_times(fresh.valid_from, fresh.valid_to)
    if fresh == present:
        return present
    if fresh.valid_to is None and present.valid_to is not None:
        await _refuse_second(connection, owner_id, fresh)
    return await graph_edges.revise_edge(connection, owner_id, fresh)


def check_times(
    valid_from: datetime | None, valid_to: datetime | None, field: str = "edge"
) -> None:
    """InvalidArgument if something ended before it began."""
    if valid_from and valid_to and valid_to < valid_from:
        raise invalid(f"{field}.valid_to", "must not be before valid_from", "FIELD_OUT_OF_RANGE")


def node_name(key: NodeKey) -> str:
    """A node's name in errors: "PERSON/caroline"."""
    return f"{key.node_type}/{key.node_id}"


async def _refuse_second(connection: Connection, owner_id: OwnerId, edge: EdgeRow) -> None:
    for other in await graph_edges.edges_about(connection, owner_id, [edge.triple], []):
        if other.valid_to is None:
            raise _exists("edge", str(other.edge_id))


def _exists(resource_type: str, resource_name: str) -> AlreadyExists:
    return AlreadyExists(
        f"{resource_type} {resource_name!r} is there already",
        metadata={"resource_type": resource_type, "resource_name": resource_name},
    )
