"""How often recall has returned a memory: kept apart, so that reading never rewrites one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.queries import load

SQL = load("memory_accesses")


@dataclass(frozen=True, slots=True)
class Access:
    """How often recall has returned a memory, and when it last did."""

    count: int
    last_at: datetime


async def list_accesses(
    connection: Connection, owner_id: OwnerId, memory_ids: Sequence[UUID]
) -> dict[UUID, Access]:
    """By memory_id; one that recall has never returned is not in it."""
    rows = await connection.fetch(SQL["list_accesses"], owner_id, list(memory_ids))
    return {row["memory_id"]: Access(row["access_count"], row["last_accessed_at"]) for row in rows}


async def count_accesses(
    connection: Connection, owner_id: OwnerId, memory_ids: Sequence[UUID], at: datetime
) -> None:
    """Counts that recall returned these memories at `at`; an id given twice counts twice."""
    await connection.execute(SQL["count_accesses"], owner_id, list(memory_ids), at)
