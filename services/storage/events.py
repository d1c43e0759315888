"""Events: what happened to memory, for those who watch it.

What tells of a change is written in the transaction that makes it, so it exists exactly if the
change was committed. No event holds a user's text.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId, TenantId, new_id
from services.runtime.scope import Scope
from services.storage.queries import load

SQL = load("events")
CHANNEL = "mnema_events"  # notified with "<tenant_id> <owner_id>"

Change = Literal["added", "updated", "superseded", "refreshed", "deleted", "ended"]
# Rows are removed this much later than readers are told that they may be: none vanishes unread.
_GRACE = timedelta(hours=1)
PURGED_AT_ONCE = 1000
_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class ExtractionEnded:
    """An attempt at an extraction: done, or failed for `reason` (empty: done)."""

    session_id: str
    extraction_id: str
    messages: int
    duration_ms: int = 0
    facts: int = 0
    episodes: int = 0
    triples: int = 0
    reason: str = ""
    will_retry: bool = False


@dataclass(frozen=True, slots=True)
class LlmCalled:
    """A call of a language model; token counts are 0 where the provider does not say."""

    purpose: str
    model: str
    duration_ms: float
    max_tokens: int
    temperature: float
    success: bool
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class EmbeddingCalled:
    """A call of an embedding model."""

    text_count: int
    model: str
    duration_ms: float
    success: bool


@dataclass(frozen=True, slots=True)
class DigestMade:
    """A digest that read something."""

    memories_analyzed: int
    insights_generated: int


@dataclass(frozen=True, slots=True)
class MemoryChanged:
    """What became of a memory; `superseded_by` holds its slot now (empty: none does)."""

    memory_id: str
    change: Change
    memory_type: str
    revision: int
    superseded_by: str = ""


Payload: TypeAlias = ExtractionEnded | LlmCalled | EmbeddingCalled | DigestMade | MemoryChanged

KINDS: Mapping[type[Payload], str] = {
    ExtractionEnded: "extraction",
    LlmCalled: "llm_call",
    EmbeddingCalled: "embedding_call",
    DigestMade: "digest",
    MemoryChanged: "memory_changed",
}
_PAYLOADS = {kind: payload for payload, kind in KINDS.items()}
_FIELDS = {payload: tuple(each.name for each in fields(payload)) for payload in KINDS}


@dataclass(frozen=True, slots=True)
class Call:
    """A model's call, and for whom it was; owner_id is the tenant's id if for no user."""

    owner_id: UUID
    payload: LlmCalled | EmbeddingCalled
    at: datetime


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order of events. All before it had been read at the moment `at`."""

    txid: int
    sequence: int
    at: datetime


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event, and the place behind it."""

    position: Position
    event_id: UUID
    user_id: str
    payload: Payload
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, and the place behind it.

    `more`: further events can be read at once. `pending`: there are some that can't be told
    yet, because an older transaction is under way. `read_at` is the database's clock;
    `next_txid` is what no transaction had got to yet.
    """

    events: tuple[EventRow, ...]
    position: Position
    more: bool
    pending: bool
    read_at: datetime
    next_txid: int


async def record(connection: Connection, owner_id: OwnerId, payloads: Sequence[Payload]) -> None:
    """Writes events of a user in one statement, as part of the transaction they tell of.

    The user has to be registered.
    """
    if payloads:
        await connection.execute(
            SQL["insert_events"],
            owner_id,
            [new_id() for _ in payloads],
            [KINDS[type(each)] for each in payloads],
            [_json(each) for each in payloads],
        )


async def record_calls(connection: Connection, tenant_id: TenantId, calls: Sequence[Call]) -> None:
    """Writes calls for users of one tenant; the transaction acts for the tenant as such.

    Those for a user who is not there, never was or is erased by now, name nobody.
    """
    await connection.execute(SQL["hold_users"], [each.owner_id for each in calls])
    await connection.execute(
        SQL["insert_call_events"],
        tenant_id,
        [each.owner_id for each in calls],
        [new_id() for _ in calls],
        [KINDS[type(each.payload)] for each in calls],
        [_json(each.payload) for each in calls],
        [each.at for each in calls],
    )


async def horizon(connection: Connection) -> Position:
    """The place from which no event is missed that is committed from now on."""
    row = await connection.fetchrow(SQL["get_horizon"])
    if row is None:
        raise AssertionError("a snapshot is always there")
    return Position(row["oldest"], 0, row["read_at"])


async def read(
    connection: Connection, scope: Scope, after: Position, kinds: Sequence[str], limit: int
) -> Reading:
    """At most `limit` events behind a place, of the scope's owner or else of its tenant.

    `kinds` empty: all. Where few are of these kinds there may be `more` though none was found:
    a reading looks at a bounded number. The transaction has that scope.
    """
    looked_at = max(limit, _LOOKED_AT) if kinds else limit
    statement = "read_owner_events" if scope.owner_id else "read_tenant_events"
    rows = await connection.fetch(
        SQL[statement],
        scope.owner_id or scope.tenant_id,
        after.txid,
        after.sequence,
        list(kinds or _PAYLOADS),  # never one that is newer than this program
        limit,
        looked_at,
    )
    first = rows[0]
    events = tuple(_event(row) for row in rows if row["event_id"] is not None)
    if len(events) == limit:
        return _reading(first, events, events[-1].position, more=True)
    if first["scanned"] == looked_at:
        last = Position(first["last_txid"], first["last_sequence"], first["last_at"])
        return _reading(first, events, last, more=True)
    # Nobody is sent back: a place may lie ahead of the horizon of a database that was set back.
    through = Position(max(first["oldest"], after.txid), 0, first["read_at"])
    if through.txid == after.txid:
        through = Position(after.txid, after.sequence, first["read_at"])
    return _reading(first, events, through, more=False)


def _reading(
    row: asyncpg.Record, events: tuple[EventRow, ...], position: Position, *, more: bool
) -> Reading:
    return Reading(events, position, more, row["pending"], row["read_at"], row["next"])


class Executor(Protocol):
    """What runs a statement: a connection, or the queue's driver."""

    async def execute(self, query: str, *args: Any) -> str:
        """Runs it; gives its tag ("DELETE 12")."""
        ...


async def purge(connection: Executor, kept: timedelta) -> int:
    """Removes some events that are older than they are kept; how many.

    Fewer than PURGED_AT_ONCE: there are no more for now. The session is the queue's (Scope.queue).
    """
    tag = await connection.execute(SQL["purge_events"], kept + _GRACE, PURGED_AT_ONCE)
    return int(tag.rpartition(" ")[2])


def _event(row: asyncpg.Record) -> EventRow:
    position = Position(row["txid"], row["sequence"], row["recorded_at"])
    made = _PAYLOADS[row["kind"]]
    # A newer program may have told more.
    known = {name: row["details"][name] for name in _FIELDS[made] if name in row["details"]}
    payload = made(**known)
    return EventRow(position, row["event_id"], row["user_id"], payload, row["recorded_at"])


def _json(payload: Payload) -> str:
    return json.dumps(asdict(payload), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
