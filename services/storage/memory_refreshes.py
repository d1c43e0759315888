"""Memories that were said again: what that adds, and what was known of them before."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.memory_rows import MemoryRow, NewMemory
from services.storage.queries import load

SQL = load("memory_refreshes")


async def refresh(
    connection: Connection, owner_id: OwnerId, item_id: UUID, memory: NewMemory
) -> None:
    """Gives a revision the higher importance and the further sources of one that says the same.

    What it was before is kept, for reads as of before.
    """
    await connection.execute(
        SQL["refresh_memory"],
        owner_id,
        item_id,
        memory.importance,
        list(memory.source_message_ids),
        list(memory.source_memory_ids),
    )


async def as_known(
    connection: Connection, owner_id: OwnerId, rows: Sequence[MemoryRow], as_of: datetime | None
) -> list[MemoryRow]:
    """The revisions, recorded by `as_of`, without what became of them later; None: as they are."""
    if as_of is None:
        return list(rows)
    later = [row.item_id for row in rows if row.last_refreshed_at > as_of]
    if not later:
        return [_not_yet_retracted(row, as_of) for row in rows]
    found = await connection.fetch(SQL["first_refreshes_after"], owner_id, later, as_of)
    before = {row["item_id"]: row for row in found}
    return [_before(_not_yet_retracted(row, as_of), before.get(row.item_id)) for row in rows]


def _not_yet_retracted(row: MemoryRow, as_of: datetime) -> MemoryRow:
    if row.retracted_at is None or row.retracted_at <= as_of:
        return row
    return replace(row, retracted_at=None, retracted_reason="", superseded_by=None)


def _before(row: MemoryRow, state: asyncpg.Record | None) -> MemoryRow:
    if state is None:
        return row
    return replace(
        row,
        importance=state["importance"],
        source_message_ids=row.source_message_ids[: state["source_messages"]],
        source_memory_ids=row.source_memory_ids[: state["source_memories"]],
        last_refreshed_at=state["last_refreshed_at"],
    )
