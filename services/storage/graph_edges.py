"""The edges of a user's graph: rows are revisions, the present one of an edge stands alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.queries import load
from services.storage.relations import NodeKey

SQL = load("graph_edges")
JsonObject: TypeAlias = "Mapping[str, Any]"


@dataclass(frozen=True, slots=True)
class Triple:
    """What an edge says, without time: source -relation-> target."""

    source: NodeKey
    edge_type: str
    custom_type: str
    target: NodeKey


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRow:
    """One revision of an edge.

    True in [valid_from, valid_to), known in [recorded_at, retracted_at); None is open.
    `first_recorded_at` is when its first revision was recorded.
    """

    edge_id: UUID
    source: NodeKey
    edge_type: str
    custom_type: str = ""
    target: NodeKey
    revision: int = 1
    weight: float = 1.0
    confidence: float | None = None
    properties: JsonObject = field(default_factory=dict)
    content: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    first_recorded_at: datetime
    recorded_at: datetime
    retracted_at: datetime | None = None
    closed_reason: str = ""
    superseded_by: UUID | None = None
    source_message_ids: tuple[UUID, ...] = ()
    extraction_id: UUID | None = None

    @property
    def triple(self) -> Triple:
        """What it says, without time."""
        return Triple(self.source, self.edge_type, self.custom_type, self.target)


def edge_of(row: "asyncpg.Record | Mapping[str, Any]") -> EdgeRow:
    """The edge in a row of graph_edges."""
    values = dict(row)
    for hidden in ("owner_id", "source_type", "source_id", "target_type", "target_id"):
        del values[hidden]
    values["source_message_ids"] = tuple(values["source_message_ids"])
    return EdgeRow(
        source=NodeKey(row["source_type"], row["source_id"]),
        target=NodeKey(row["target_type"], row["target_id"]),
        **values,
    )


async def transaction_time(connection: Connection) -> datetime:
    """The record time of what this transaction writes."""
    moment: datetime = await connection.fetchval(SQL["transaction_time"])
    return moment


async def edges_about(
    connection: Connection,
    owner_id: OwnerId,
    triples: Iterable[Triple],
    slots: Iterable[tuple[NodeKey, str]],
) -> list[EdgeRow]:
    """The present edges that state one of `triples`, or fill one of `slots` (source, relation).

    Of slots also the edges that a correction took back.
    """
    wanted = list(triples)
    heads = list(slots)
    rows = await connection.fetch(
        SQL["edges_about"],
        owner_id,
        [each.source.node_type for each in wanted],
        [each.source.node_id for each in wanted],
        [each.edge_type for each in wanted],
        [each.custom_type for each in wanted],
        [each.target.node_type for each in wanted],
        [each.target.node_id for each in wanted],
        [source.node_type for source, _ in heads],
        [source.node_id for source, _ in heads],
        [edge_type for _, edge_type in heads],
    )
    found = {row["edge_id"]: edge_of(row) for row in rows}
    return sorted(found.values(), key=lambda edge: edge.edge_id)


async def insert_edges(connection: Connection, owner_id: OwnerId, edges: Sequence[EdgeRow]) -> None:
    """Stores revisions as they are; an edge's present one must have been retracted before."""
    if edges:
        rows = [_plain(edge) for edge in sorted(edges, key=lambda each: each.edge_id)]
        await connection.execute(SQL["insert_edges"], owner_id, rows)


async def revise_edges(connection: Connection, owner_id: OwnerId, edges: Sequence[EdgeRow]) -> None:
    """Puts new revisions in the place of the present ones; `recorded_at` is when."""
    if edges:
        ordered = sorted(edges, key=lambda each: each.edge_id)
        await connection.execute(
            SQL["retire_revisions"],
            owner_id,
            [edge.edge_id for edge in ordered],
            [edge.recorded_at for edge in ordered],
        )
        await insert_edges(connection, owner_id, ordered)


async def take_back_edges(
    connection: Connection, owner_id: OwnerId, edges: Sequence[EdgeRow]
) -> None:
    """Retracts present edges: `retracted_at`, `closed_reason` and `superseded_by` say how."""
    if edges:
        ordered = sorted(edges, key=lambda each: each.edge_id)
        await connection.execute(
            SQL["take_back_edges"],
            owner_id,
            [edge.edge_id for edge in ordered],
            [edge.retracted_at for edge in ordered],
            [edge.closed_reason for edge in ordered],
            [edge.superseded_by for edge in ordered],
        )


async def get_edge(
    connection: Connection, owner_id: OwnerId, edge_id: UUID, as_of: datetime | None = None
) -> EdgeRow | None:
    """The last revision recorded by `as_of` (default: now), also when it was taken back."""
    row = await connection.fetchrow(SQL["get_edge"], owner_id, edge_id, as_of)
    return None if row is None else known_edge(edge_of(row), as_of)


def known_edge(edge: EdgeRow, as_of: datetime | None) -> EdgeRow:
    """The edge without what became of it after `as_of`."""
    if as_of is None or edge.retracted_at is None or edge.retracted_at <= as_of:
        return edge
    if edge.valid_to is None:
        return replace(edge, retracted_at=None, closed_reason="", superseded_by=None)
    return replace(edge, retracted_at=None)


async def revise_edge(connection: Connection, owner_id: OwnerId, edge: EdgeRow) -> EdgeRow:
    """Stores `edge` (its present revision with other values) as the next revision."""
    moment = max(await transaction_time(connection), edge.recorded_at)
    fresh = replace(edge, revision=edge.revision + 1, recorded_at=moment)
    await revise_edges(connection, owner_id, [fresh])
    return fresh


async def delete_edge(connection: Connection, owner_id: OwnerId, edge_id: UUID) -> bool:
    """Takes an edge back; False if none is present."""
    return bool(await connection.fetchval(SQL["delete_edge"], owner_id, edge_id))


async def delete_edges_of(connection: Connection, owner_id: OwnerId, node: NodeKey) -> int:
    """Takes back every present edge of a node, and says how many there were."""
    counted: int = await connection.fetchval(
        SQL["delete_edges_of"], owner_id, node.node_type, node.node_id
    )
    return counted


def _plain(edge: EdgeRow) -> dict[str, object]:
    """The row as JSON holds it."""
    values = asdict(edge)
    for end in ("source", "target"):
        key = values.pop(end)
        values[f"{end}_type"], values[f"{end}_id"] = key["node_type"], key["node_id"]
    values["source_message_ids"] = [str(each) for each in edge.source_message_ids]
    for name, value in values.items():
        if isinstance(value, datetime):
            values[name] = value.isoformat()
        elif isinstance(value, UUID):
            values[name] = str(value)
    return values
