"""The nodes of a user's graph: rows are revisions, the present one of a node stands alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.queries import load
from services.storage.relations import NodeKey, NodeRef, node_id_of

SQL = load("graph_nodes")


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One revision of a node, known in [recorded_at, retracted_at)."""

    key: NodeKey
    revision: int
    name: str
    properties: Mapping[str, Any]
    first_recorded_at: datetime
    recorded_at: datetime
    retracted_at: datetime | None


def node_of(row: asyncpg.Record) -> NodeRow:
    """The node in a row of graph_nodes."""
    return NodeRow(
        NodeKey(row["node_type"], row["node_id"]),
        row["revision"],
        row["name"],
        row["properties"],
        row["first_recorded_at"],
        row["recorded_at"],
        row["retracted_at"],
    )


async def ensure_nodes(connection: Connection, owner_id: OwnerId, nodes: Iterable[NodeRef]) -> None:
    """Makes those of `nodes` that are not there; the first name given to one counts."""
    wanted: dict[NodeKey, str] = {}
    for node in nodes:
        wanted.setdefault(node.key, node.name or node.node_id)
    ordered = sorted(wanted)
    await connection.execute(
        SQL["ensure_nodes"],
        owner_id,
        [key.node_type for key in ordered],
        [key.node_id for key in ordered],
        [wanted[key] for key in ordered],
        [node_id_of(wanted[key]) for key in ordered],
    )


async def create_node(
    connection: Connection, owner_id: OwnerId, node: NodeRef, properties: Mapping[str, Any]
) -> NodeRow | None:
    """The new node, or None if there is one of that kind and id."""
    name = node.name or node.node_id
    row = await connection.fetchrow(
        SQL["create_node"],
        owner_id,
        node.node_type,
        node.node_id,
        name,
        node_id_of(name),
        dict(properties),
    )
    return None if row is None else node_of(row)


async def get_node(
    connection: Connection, owner_id: OwnerId, key: NodeKey, as_of: datetime | None = None
) -> NodeRow | None:
    """The node as it stands, or stood at `as_of`."""
    row = await connection.fetchrow(SQL["get_node"], owner_id, key.node_type, key.node_id, as_of)
    return None if row is None else node_of(row)


async def get_nodes(
    connection: Connection,
    owner_id: OwnerId,
    keys: Iterable[NodeKey],
    as_of: datetime | None = None,
) -> dict[NodeKey, NodeRow]:
    """Those of the nodes that stand, or stood at `as_of`."""
    wanted = sorted(set(keys))
    rows = await connection.fetch(
        SQL["get_nodes"],
        owner_id,
        [key.node_type for key in wanted],
        [key.node_id for key in wanted],
        as_of,
    )
    return {node.key: node for node in map(node_of, rows)}


async def list_nodes(
    connection: Connection,
    owner_id: OwnerId,
    node_types: Sequence[str],
    after: NodeKey,
    limit: int,
    as_of: datetime | None = None,
) -> list[NodeRow]:
    """Nodes of these kinds that follow `after` in the order of kind and id.

    Those that are present, or were at `as_of`.
    """
    arguments: list[object] = [owner_id, list(node_types), after.node_type, after.node_id, limit]
    if as_of is None:
        rows = await connection.fetch(SQL["list_nodes"], *arguments)
    else:
        rows = await connection.fetch(SQL["list_nodes_as_of"], *arguments, as_of)
    return [node_of(row) for row in rows]


async def revise_node(
    connection: Connection,
    owner_id: OwnerId,
    key: NodeKey,
    name: str,
    properties: Mapping[str, Any],
) -> NodeRow:
    """Puts a new revision in the place of the present one, which must be there."""
    row = await connection.fetchrow(
        SQL["revise_node"],
        owner_id,
        key.node_type,
        key.node_id,
        name,
        node_id_of(name),
        dict(properties),
    )
    if row is None:
        raise LookupError(f"no present node {key}")
    return node_of(row)


async def delete_node(connection: Connection, owner_id: OwnerId, key: NodeKey) -> bool:
    """Takes a node back; False if none is present. Its edges are the caller's affair."""
    return bool(await connection.fetchval(SQL["delete_node"], owner_id, key.node_type, key.node_id))


@dataclass(frozen=True, slots=True)
class Named:
    """The nodes that a text names, and those that stand for the user; each by its key."""

    named: tuple[NodeRow, ...]
    user: tuple[NodeRow, ...]


async def nodes_named(
    connection: Connection,
    owner_id: OwnerId,
    node_ids: Sequence[str],
    name_ids: Sequence[str],
    as_of: datetime | None,
    limit: int,
    users: int = 0,
) -> Named:
    """Nodes that have one of these ids, or a name that makes one of `name_ids` (`node_id_of`).

    `limit` bounds how many of them are read, `users` how many that stand for the user.
    """
    rows = await connection.fetch(
        SQL["nodes_named"], owner_id, list(node_ids), list(name_ids), as_of, limit, users
    )
    found = {node.key: node for node in (node_of(row) for row in rows if not row["is_user"])}
    user = tuple(node_of(row) for row in rows if row["is_user"])
    return Named(tuple(found[key] for key in sorted(found)), user)
