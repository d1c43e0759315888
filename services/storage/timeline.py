"""The timeline: memories, messages and edges together, in the order in which they happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.graph_edges import EdgeRow, edge_of, known_edge
from services.storage.memories import get_revisions
from services.storage.memory_rows import MemoryRow
from services.storage.messages import MessageRow, get_messages
from services.storage.queries import load

Kind = Literal["memory", "message", "edge"]
KINDS: tuple[Kind, ...] = ("memory", "message", "edge")
Place: TypeAlias = tuple[datetime, Kind, UUID]
SQL = load("timeline")

_STEP = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """What a timeline holds: [start, end) of event time; None is open.

    `as_of`: what stood at that moment, None: now. `newest_first` turns it round.
    """

    kinds: tuple[Kind, ...] = KINDS
    start: datetime | None = None
    end: datetime | None = None
    as_of: datetime | None = None
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened, or became true, at `happened_at`; `place` is that of its page."""

    happened_at: datetime
    thing: MemoryRow | MessageRow | EdgeRow
    place: Place


async def list_timeline(
    connection: Connection, owner_id: OwnerId, span: Span, limit: int, after: Place | None = None
) -> list[Entry]:
    """The entries behind the place `after` (None: from the beginning), at most `limit`.

    In a transaction that isn't isolated one that goes meanwhile is left out.
    """
    beyond, order = ("<", "DESC") if span.newest_first else (">", "ASC")
    start, end = span.start, span.end
    if after is not None and span.newest_first:
        end = after[0] + _STEP  # never later than the span's end: the place lies in it
    elif after is not None:
        start = after[0]
    rows = await connection.fetch(
        SQL["entries"].replace("{beyond}", beyond).replace("{order}", order),
        owner_id,
        list(span.kinds),
        start,
        end,
        span.as_of,
        *(after or (None, None, None)),
        limit,
    )
    things = await _things(connection, owner_id, rows, span.as_of)
    return [
        Entry(row["happened_at"], things[row["id"]], (row["happened_at"], row["kind"], row["id"]))
        for row in rows
        if row["id"] in things
    ]


async def _things(
    connection: Connection,
    owner_id: OwnerId,
    rows: Sequence[asyncpg.Record],
    as_of: datetime | None,
) -> dict[UUID, MemoryRow | MessageRow | EdgeRow]:
    """What the rows name, in full."""
    ids: dict[str, list[UUID]] = {
        kind: [row["id"] for row in rows if row["kind"] == kind] for kind in KINDS
    }
    found: dict[UUID, MemoryRow | MessageRow | EdgeRow] = {}
    if ids["memory"]:
        memories = await get_revisions(connection, owner_id, ids["memory"], as_of)
        found |= {row.item_id: row for row in memories}
    if ids["message"]:
        messages = await get_messages(connection, owner_id, ids["message"], as_of)
        found |= {row.message_id: row for row in messages}
    if ids["edge"]:
        revisions = [row["revision"] for row in rows if row["kind"] == "edge"]
        edges = await connection.fetch(SQL["edges_of_revisions"], owner_id, ids["edge"], revisions)
        found |= {row["edge_id"]: known_edge(edge_of(row), as_of) for row in edges}
    return found
