"""Rollbacks: the present becomes what it was at a past moment, and nothing is lost.

What was recorded since is retracted, what was retracted since comes back as new revisions, all
at one record time that nothing else has. So reads as of any other moment stay as they were,
and a rollback is undone by one to the moment just before it. Messages and files stay.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.errors import NotFound, invalid
from services.runtime.ids import OwnerId, new_id
from services.storage.embedding_spaces import list_spaces
from services.storage.events import Change
from services.storage.foundation import lock_owner
from services.storage.memories import get_revisions
from services.storage.memory_events import MemoryEvents
from services.storage.memory_rows import MemoryRow
from services.storage.memory_units import MemoryText, index_memories
from services.storage.queries import load
from services.storage.vectors import copy_vectors

SQL = load("rollbacks")

# Record times are microseconds: nothing lies between a rollback and the one before it.
JUST_BEFORE = timedelta(microseconds=1)
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Rollback:
    """One rollback: which moment it brought back, when, and how much it changed.

    `undoes` is the rollback that it undid. What gave way to an earlier revision counts among
    those retracted, and that revision among those restored.
    """

    rollback_id: UUID
    to_time: datetime
    recorded_at: datetime
    undoes: UUID | None
    memories_retracted: int
    memories_restored: int
    edges_retracted: int
    edges_restored: int
    nodes_retracted: int
    nodes_restored: int
    key_values_retracted: int
    key_values_restored: int
    emotion_profile_changed: bool


@dataclass(frozen=True, slots=True)
class _Change:
    """From which moment's view, at which record time."""

    connection: Connection
    owner_id: OwnerId
    to_time: datetime
    moment: datetime

    async def run(self, name: str) -> int:
        """Runs a statement that tells how many rows it changed."""
        changed: int = await self.connection.fetchval(
            SQL[name], self.owner_id, self.to_time, self.moment
        )
        return changed


async def roll_back(
    connection: Connection, owner_id: OwnerId, to_time: datetime, undoes: UUID | None = None
) -> Rollback:
    """Brings the moment `to_time` back, under the user's lock, which it takes.

    What comes back without vectors waits for them: if memories were restored, enqueue
    jobs.EMBED. InvalidArgument (FIELD_OUT_OF_RANGE) if `to_time` lies in the future.
    """
    await lock_owner(connection, owner_id)
    moment: datetime = await connection.fetchval(SQL["moment"], owner_id)
    if to_time >= moment:
        raise invalid("to_time", "must not lie in the future", "FIELD_OUT_OF_RANGE")
    change = _Change(connection, owner_id, to_time, moment)
    retracted, restored = await _memories(change)
    await connection.execute(SQL["retract_pathways"], owner_id, to_time, moment)
    await connection.execute(SQL["restore_pathways"], owner_id, to_time, moment)
    done = Rollback(
        new_id(),
        to_time,
        moment,
        undoes,
        retracted,
        restored,
        await change.run("retract_edges"),
        await change.run("restore_edges"),
        await change.run("retract_nodes"),
        await change.run("restore_nodes"),
        await change.run("retract_key_values"),
        await change.run("restore_key_values"),
        await change.run("retract_emotion_profile") + await change.run("restore_emotion_profile")
        > 0,
    )
    await connection.execute(SQL["insert_rollback"], owner_id, *astuple(done))
    return done


async def undo_rollback(connection: Connection, owner_id: OwnerId, rollback_id: UUID) -> Rollback:
    """Brings back the moment just before a rollback. NotFound if there was none of that id."""
    await lock_owner(connection, owner_id)
    row = await connection.fetchrow(SQL["get_rollback"], owner_id, rollback_id)
    if row is None:
        raise NotFound("rollback", str(rollback_id))
    before = _rollback(row).recorded_at - JUST_BEFORE
    return await roll_back(connection, owner_id, before, undoes=rollback_id)


async def list_rollbacks(
    connection: Connection, owner_id: OwnerId, limit: int, after: datetime | None = None
) -> list[Rollback]:
    """The newest first, at most `limit`; `after` is recorded_at of the last one seen."""
    rows = await connection.fetch(SQL["list_rollbacks"], owner_id, after, limit)
    return [_rollback(row) for row in rows]


async def _memories(change: _Change) -> tuple[int, int]:
    """How many memories were retracted and restored; the search index follows."""
    connection, owner_id = change.connection, change.owner_id
    view = (owner_id, change.to_time, change.moment)
    gone = await connection.fetch(SQL["retract_memories"], *view)
    items = [row["item_id"] for row in gone]
    await connection.execute(SQL["retract_units"], owner_id, items, change.moment)
    await connection.execute(SQL["restore_marks"], *view)
    lost = await connection.fetch(SQL["lost_memories"], owner_id, change.to_time)
    back: list[MemoryRow] = []
    for start in range(0, len(lost), _AT_ONCE):
        back += await _restore(change, [row["item_id"] for row in lost[start : start + _AT_ONCE]])
    await _tell(change, gone, back)
    return len(gone), len(lost)


async def _tell(change: _Change, gone: Sequence[asyncpg.Record], back: Sequence[MemoryRow]) -> None:
    """Events: what went, what came, and what has another revision now."""
    told = MemoryEvents()
    went, came = {row["memory_id"] for row in gone}, {row.memory_id for row in back}
    for row in gone:
        if row["memory_id"] not in came:
            told.stands(row["memory_id"], "deleted", row["memory_type"], row["revision"])
    for memory in back:
        became: Change = "updated" if memory.memory_id in went else "added"
        told.stands(memory.memory_id, became, memory.memory_type, memory.revision)
    await told.record(change.connection, change.owner_id)


async def _restore(change: _Change, items: Sequence[UUID]) -> list[MemoryRow]:
    """Copies these revisions into the present, with their words and their vectors."""
    connection, owner_id = change.connection, change.owner_id
    copies = {item_id: new_id() for item_id in items}
    pairs = (list(copies), list(copies.values()))
    await connection.execute(
        SQL["restore_memories"], owner_id, change.to_time, change.moment, *pairs
    )
    rows = await get_revisions(connection, owner_id, pairs[1])
    texts = [
        MemoryText(
            row.item_id,
            row.content,
            row.source_message_ids[0] if row.source_message_ids else None,
            event_at=row.event_at,
            memory_type=row.memory_type,
            recorded_at=row.recorded_at,
            created_at=row.first_recorded_at,
        )
        for row in rows
    ]
    await index_memories(connection, owner_id, texts)
    for space in await list_spaces(connection):
        await copy_vectors(connection, owner_id, space, copies)
    return rows


def _rollback(row: asyncpg.Record) -> Rollback:
    return Rollback(**dict(row))
