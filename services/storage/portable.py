"""A user's data as records that another system can take in: read from one snapshot, stored as one.

A record is a row of a table as JSON, without whose it is. Which tables there are the catalogue
says; those below are left out, because they are made from others or are of the moment.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.errors import FailedPrecondition, InvalidArgument, invalid
from services.runtime.ids import OwnerId, TenantId
from services.storage.owner_tables import SQL as TABLES
from services.storage.owner_tables import USERS, OwnerTable, list_owner_tables, quoted
from services.storage.queries import load
from services.storage.reindexing import INDEXED_KINDS, index_kind, retract_memories

SQL = load("portable")

DERIVED = frozenset(
    {
        *("search_items", "unit_terms", "posting_blocks", "packed_postings", "unembedded"),
        *("collection_sizes", "numbers"),
    }
)
"""Made from messages, memories and chunks: an import makes them anew."""
OF_THE_MOMENT = frozenset({"write_requests", "events"})
"""Means nothing elsewhere."""
# Whose a row is, and where bytes lie: no part of a record.
_WHOSE = ("tenant_id", "user_id")
_OWN_COLUMNS = frozenset({"owner_id", "object_key", *_WHOSE})
_OF_A_SPACE = re.compile(r"(vectors|codes|segments)_[0-9]+")
_FETCHED_BYTES = 4 * 2**20
_MOST_FETCHED = 200
# What the database says of values that it does not take; and what is said on the way to it.
_REFUSALS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    OverflowError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What still has to be extracted: a session, and the extraction that was to do it."""

    session_id: str
    extraction_id: UUID | None


async def portable_tables(connection: Connection) -> list[OwnerTable]:
    """The tables whose rows are records, each behind those that it refers to."""
    return [table for table in await list_owner_tables(connection) if is_portable(table.name)]


def is_portable(table: str) -> bool:
    """Whether a table's rows are records."""
    left_out = table in DERIVED or table in OF_THE_MOMENT
    return not left_out and _OF_A_SPACE.fullmatch(table) is None


def record_columns(table: OwnerTable) -> list[str]:
    """The columns that a record of the table may have."""
    return [column for column in table.columns if column not in _OWN_COLUMNS]


async def begin_reading(connection: Connection) -> datetime:
    """Makes times come out in UTC; the moment that the transaction sees."""
    moment: datetime = (await connection.fetchrow(TABLES["in_utc"]))["moment"]  # type: ignore[index]
    return moment


async def count_records(
    connection: Connection, owner_id: OwnerId, tables: Sequence[OwnerTable]
) -> dict[str, int]:
    """How many rows the user has, by table; without those of none."""
    counts = {
        table.name: await connection.fetchval(table.within(TABLES["count_rows"]), owner_id)
        for table in tables
    }
    return {name: count for name, count in counts.items() if count}


async def read_records(connection: Connection, table: OwnerTable) -> AsyncIterator[str]:
    """The rows of the user that the transaction acts for as JSON, in the order of their keys.

    Some megabytes of them are in memory at a time, however many there are.
    """
    async for row in _cursor(connection, "records", table.within(TABLES["open_records"])):
        yield row["record"]


async def read_objects(connection: Connection) -> AsyncIterator[tuple[UUID, str]]:
    """The ids of the user's uploaded files and the keys of their bytes."""
    async for row in _cursor(connection, "objects", SQL["open_objects"]):
        yield row["file_id"], row["object_key"]


async def _cursor(
    connection: Connection, cursor: str, declaration: str
) -> AsyncIterator[asyncpg.Record]:
    """By a cursor of the server's: a reading transaction is not one that the driver has begun."""
    await connection.execute(declaration)
    count = 10
    while rows := await connection.fetch(TABLES["fetch_rows"].format(count=count, cursor=cursor)):
        longest = max(sum(len(str(value)) for value in row.values()) for row in rows)
        count = max(1, min(_MOST_FETCHED, _FETCHED_BYTES // longest))
        for row in rows:
            yield row
    await connection.execute(TABLES["close_cursor"].format(cursor=cursor))


async def check_empty(
    connection: Connection, owner_id: OwnerId, user_id: str, tables: Sequence[OwnerTable]
) -> None:
    """FailedPrecondition if anything of the user is stored but the user's own row."""
    for table in tables:
        if table.name != USERS and await connection.fetchval(
            table.within(TABLES["has_rows"]), owner_id
        ):
            raise FailedPrecondition(
                f"user {user_id!r} has {table.name} already: data are imported for an empty user",
                metadata={"user_id": user_id, "kind": table.name},
            )


async def forget_user_row(connection: Connection, owner_id: OwnerId) -> None:
    """Removes the row of a user without data: that of the import takes its place."""
    await connection.execute(SQL["delete_user"], owner_id)


class RecordStore:
    """Stores records in the order they come, some at a time; needs the user closed to writers."""

    def __init__(
        self,
        connection: Connection,
        owner_id: OwnerId,
        tenant_id: TenantId,
        user_id: str,
        tables: Sequence[OwnerTable],
    ) -> None:
        self._connection = connection
        self._owner_id = owner_id
        self._user = {"tenant_id": str(tenant_id), "user_id": user_id}
        self._tables = {table.name: table for table in tables}

    def row(self, kind: str, record: Mapping[str, object]) -> dict[str, object]:
        """The record as a row of this user's."""
        columns = self._tables[kind].columns
        return {**record, **{name: self._user[name] for name in _WHOSE if name in columns}}

    async def store(
        self, kind: str, columns: Sequence[str], rows: Sequence[tuple[int, Mapping[str, object]]]
    ) -> None:
        """Stores rows of one kind that have the same columns, with their numbers in the stream.

        InvalidArgument names the first that the database does not take.
        """
        try:
            async with self._connection.transaction():
                await self._insert(kind, columns, [row for _, row in rows])
        except _REFUSALS as error:
            if len(rows) == 1:
                raise refused(rows[0][0], kind, _why(error)) from error
            for row in rows:
                await self.store(kind, columns, [row])

    async def _insert(
        self, kind: str, columns: Sequence[str], rows: Sequence[Mapping[str, object]]
    ) -> None:
        table = self._tables[kind]
        # As rows have it a JSON null is no value at all; in a document it is a value.
        values = [
            f"item -> '{column}'" if column in table.documents else f"held.{quoted(column)}"
            for column in columns
        ]
        statement = (
            table.within(TABLES["insert_records"])
            .replace("{columns}", ", ".join(map(quoted, ("owner_id", *columns))))
            .replace("{values}", ", ".join(("$1", *values)))
        )
        text = json.dumps(rows, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        await self._connection.execute(statement, self._owner_id, text)


async def finish_import(connection: Connection, owner_id: OwnerId) -> list[Unfinished]:
    """Makes what records do not carry: numbers, the index by words. What is to be extracted.

    InvalidArgument names the kind of what can't be made of its records.
    """
    with _refusing("sessions"):
        await connection.execute(SQL["settle_sessions"], owner_id)
        await connection.execute(SQL["set_numbers"], owner_id)
    for kind in INDEXED_KINDS:
        with _refusing(kind):
            await index_kind(connection, owner_id, kind)
    await retract_memories(connection, owner_id)
    rows = await connection.fetch(SQL["list_unfinished"], owner_id)
    return [Unfinished(row["session_id"], row["extraction_id"]) for row in rows]


async def await_digests(connection: Connection, owner_id: OwnerId) -> list[UUID]:
    """The digests that were asked for and are not made: each is to get a job."""
    return [row["digest_id"] for row in await connection.fetch(SQL["await_digests"], owner_id)]


def refused(number: int, kind: str, why: str) -> InvalidArgument:
    """The error that says what is wrong with a record."""
    return invalid("record", f"record {number} ({kind}): {why}")


@contextmanager
def _refusing(kind: str) -> Iterator[None]:
    try:
        yield
    except _REFUSALS as error:
        raise invalid("record", f"{kind}: {_why(error)}") from error


def _why(error: Exception) -> str:
    constraint = getattr(error, "constraint_name", None)
    column = getattr(error, "column_name", None)
    about = f" ({constraint or column})" if constraint or column else ""
    return f"{str(error).splitlines()[0]}{about}"
