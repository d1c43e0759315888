"""The tables that hold users' data, as the database's catalogue lists them.

Whoever adds a table with an owner_id has it erased with its user, exported and imported, without
a line here; unless it is derived from others, which `services.storage.portable` is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.queries import load

SQL = load("owner_tables")
USERS = "users"


@dataclass(frozen=True, slots=True)
class OwnerTable:
    """One table with an owner_id.

    `columns` are those that a row is made of, each with the name of its type ("text",
    "uuid[]"); `documents` the jsonb ones that are never null, `objects` those whose default is
    an empty object; `key` its primary key.
    """

    name: str
    columns: Mapping[str, str]
    documents: frozenset[str]
    objects: frozenset[str]
    key: tuple[str, ...]
    refers_to: frozenset[str]

    def within(self, statement: str) -> str:
        """The statement with this table in it; names are the catalogue's, and are quoted."""
        key = ", ".join(map(quoted, self.key))
        return statement.replace("{table}", quoted(self.name)).replace("{key}", key)


async def list_owner_tables(connection: Connection) -> list[OwnerTable]:
    """All of them, each behind those that it refers to."""
    rows = await connection.fetch(SQL["list_owner_tables"])
    tables = {
        row["name"]: OwnerTable(
            row["name"],
            dict(zip(row["columns"], row["types"], strict=True)),
            frozenset(row["documents"] or ()),
            frozenset(row["objects"] or ()),
            tuple(row["key"] or ("owner_id",)),
            frozenset(row["refers_to"] or ()),
        )
        for row in rows
    }
    # Whatever it refers to: nothing is of a user who is not there.
    order = TopologicalSorter(
        {
            name: sorted(({USERS} | table.refers_to) & tables.keys() - {name})
            for name, table in tables.items()
        }
    )
    return [tables[name] for name in order.static_order()]


async def close_to_writers(connection: Connection, owner_id: OwnerId) -> None:
    """Makes this transaction the only one that writes anything of the user's, until it ends.

    It waits for those that write now and must not act for the user itself yet: begin it as the
    tenant's, and `act_for` the user afterwards.
    """
    await connection.execute(SQL["close_to_writers"], str(owner_id))


async def act_for(connection: Connection, owner_id: OwnerId | None) -> None:
    """Whose rows the transaction sees from here on; None: the tenant's own, as it began."""
    await connection.execute(SQL["act_for"], str(owner_id) if owner_id else "")


async def erase_rows(
    connection: Connection, owner_id: OwnerId, tables: Sequence[OwnerTable]
) -> dict[str, int]:
    """Erases the user's rows of all tables; returns how many by table, without those of none.

    Triggers may write to tables that are empty already: it goes on until nothing is left. The
    user's own row is the last.
    """
    counts: dict[str, int] = {}
    own = [table for table in tables if table.name == USERS]
    others = [table for table in reversed(tables) if table.name != USERS]
    while erased := await _erase_once(connection, owner_id, others):
        counts = counts or erased
    return counts | await _erase_once(connection, owner_id, own)


async def _erase_once(
    connection: Connection, owner_id: OwnerId, tables: Sequence[OwnerTable]
) -> dict[str, int]:
    erased = {
        table.name: await connection.fetchval(table.within(SQL["erase_rows"]), owner_id)
        for table in tables
    }
    return {name: count for name, count in erased.items() if count}


def quoted(name: str) -> str:
    """A name of the catalogue, as it stands in a statement."""
    return '"' + name.replace('"', '""') + '"'
