"""What every family of tables needs: a user's lock, a user's row, the active embedding space."""

from dataclasses import dataclass

import asyncpg

from services.runtime.database import Connection
from services.runtime.errors import FailedPrecondition
from services.runtime.ids import OwnerId, TenantId
from services.storage.queries import load

SQL = load("foundation")
# The oldest schema that this program can work with; migrate.py makes the newest.
REQUIRED_SCHEMA = 4


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """The vectors of one model: `table_name` holds them, each of `dims` values."""

    space_id: int
    model: str
    dims: int
    table_name: str


async def schema_revision(connection: Connection) -> int:
    """The number of the newest migration that has run; 0 for a database without a schema."""
    try:
        found: int = await connection.fetchval(SQL["get_schema_revision"])
    except asyncpg.UndefinedTableError:
        return 0
    return found


async def lock_owner(connection: Connection, owner_id: OwnerId) -> None:
    """Makes this transaction the only writer of what the user's memory consists of.

    That is memories, graph, key-values and profile. Taken before any row of theirs is touched,
    so writers queue up instead of deadlocking. Ingesting messages does not take it. The record
    time of what is written is the moment at which the lock was there: until then others wrote,
    and whoever read saw nothing of it.
    """
    await connection.execute(SQL["lock_owner"], owner_id)


async def register_user(
    connection: Connection, owner_id: OwnerId, tenant_id: TenantId, user_id: str
) -> None:
    """Makes the user's row if there is none: everything a user owns refers to it."""
    await connection.execute(SQL["register_user"], owner_id, tenant_id, user_id)


async def active_space(connection: Connection) -> EmbeddingSpace:
    """The space that vectors are written to and searched in.

    Raises FailedPrecondition if `mnema migrate` has made none.
    """
    row = await connection.fetchrow(SQL["get_active_space"])
    if row is None:
        raise FailedPrecondition("the database has no embedding space: run `mnema migrate`")
    return EmbeddingSpace(row["space_id"], row["model"], row["dims"], row["table_name"])
