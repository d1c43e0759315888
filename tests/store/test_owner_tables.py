"""Every table that holds something of a user's goes with the user, whoever has added it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.runtime.database import Database
from services.runtime.scope import Scope
from services.storage import deletions
from services.storage.deletions import API_KEYS
from services.storage.owner_tables import USERS, list_owner_tables
from services.storage.portable import DERIVED, OF_THE_MOMENT, is_portable
from tests.conftest import TestDatabase
from tests.store.owners import Owner, new_owner, opened

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def database(test_database: TestDatabase) -> AsyncIterator[Database]:
    async with opened(test_database) as made:
        yield made


@pytest.fixture
async def superuser(test_database: TestDatabase) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(test_database.superuser_dsn)
    yield connection
    await connection.close()


async def tables_with(superuser: Any, column: str) -> set[str]:
    rows = await superuser.fetch(
        "SELECT table_name FROM information_schema.columns JOIN information_schema.tables "
        "USING (table_schema, table_name) "
        "WHERE table_schema = 'public' AND column_name = $1 AND table_type = 'BASE TABLE'",
        column,
    )
    return {row["table_name"] for row in rows}


async def names(database: Database) -> list[str]:
    async with database.transaction(Scope(), readonly=True) as connection:
        return [table.name for table in await list_owner_tables(connection)]


async def test_the_catalogue_names_all_of_them(database: Database, superuser: Any) -> None:
    assert set(await names(database)) == await tables_with(superuser, "owner_id")
    # What has a user's id is found by its owner, or is a key, which is deleted by name.
    of_users = await tables_with(superuser, "user_id")
    assert of_users - await tables_with(superuser, "owner_id") == {API_KEYS}
    assert USERS in of_users
    assert set(await names(database)) >= DERIVED | OF_THE_MOMENT


async def test_the_owner_may_erase_the_rows_of_each(database: Database, superuser: Any) -> None:
    """A policy that hides rows from their owner would have them stay."""
    rows = await superuser.fetch(
        "SELECT tablename FROM pg_policies WHERE cmd = 'ALL' AND permissive = 'PERMISSIVE' "
        "AND qual LIKE '%owner_id = %current_setting(''mnema.owner''%'"
    )
    assert {row["tablename"] for row in rows} >= set(await names(database))


async def test_parents_come_first(database: Database) -> None:
    found = await names(database)
    for parent, child in (("users", "sessions"), ("sessions", "messages"), ("documents", "chunks")):
        assert found.index(parent) < found.index(child)


async def test_a_table_that_is_new_is_erased_and_exported(
    database: Database, superuser: Any
) -> None:
    """With a trigger that writes into another one when rows are deleted."""
    await superuser.execute(
        """
        CREATE TABLE a_trail (owner_id uuid NOT NULL REFERENCES users, n bigint PRIMARY KEY);
        CREATE TABLE new_things (owner_id uuid NOT NULL REFERENCES users, n bigint PRIMARY KEY);
        CREATE SEQUENCE counting;
        CREATE FUNCTION leave_a_trail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO a_trail VALUES (old.owner_id, nextval('counting'));
            RETURN NULL;
        END $$;
        CREATE TRIGGER trail AFTER DELETE ON new_things
            FOR EACH ROW EXECUTE FUNCTION leave_a_trail();
        GRANT ALL ON a_trail, new_things TO mnema_service;
        GRANT ALL ON SEQUENCE counting TO mnema_service;
        """
    )
    owner = await new_owner(database)
    await superuser.execute(
        "INSERT INTO new_things SELECT $1, n FROM generate_series(1, 5) AS n", owner.owner_id
    )
    assert is_portable("new_things")
    row = await erase(owner)
    assert row.counts["new_things"] == 5
    assert row.counts["users"] == 1
    for table in await tables_with(superuser, "owner_id"):
        assert await superuser.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_the_receipt_outlives_the_user_and_does_not_name_it(
    database: Database, superuser: Any
) -> None:
    owner = await new_owner(database, "alice with a name to find")
    row = await erase(owner, "alice with a name to find")
    (receipt,) = await superuser.fetch("SELECT deletions::text AS text FROM deletions")
    assert "alice" not in receipt["text"]
    assert str(owner.owner_id) not in receipt["text"]
    assert owner.owner_id.hex not in receipt["text"]
    assert row.finished_at is not None
    await superuser.execute("UPDATE deletions SET recorded_at = now() - interval '31 days'")
    await erase(owner)
    assert await superuser.fetchval("SELECT count(*) FROM deletions") == 1


async def erase(owner: Owner, user_id: str = "alice") -> deletions.DeletionRow:
    async with owner.database.transaction(Scope(owner.tenant_id)) as connection:
        return await deletions.erase_user(connection, owner.tenant_id, owner.owner_id, user_id)


async def test_the_format_names_every_kind_of_record(database: Database) -> None:
    """A new table of users' data: describe it there, or say in `portable` why it is left out."""
    text = (ROOT / "docs" / "export-format.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    described = {kind for row in rows for kind in re.findall(r"`([a-z_]+)`", row)}
    assert described == {name for name in await names(database) if is_portable(name)}


async def test_whoever_refers_to_a_row_is_found_by_an_index(database: Database) -> None:
    """Else erasing a row reads all that refer to its kind: with many, users can't be erased."""
    async with database.transaction(Scope()) as connection:
        rows = await connection.fetch(
            """
            SELECT conrelid::regclass::text AS referring, conname
            FROM pg_constraint WHERE contype = 'f' AND NOT EXISTS (
                SELECT FROM pg_index WHERE indrelid = conrelid AND indpred IS NULL
                    AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey
                    AND (indkey::int2[])[0:cardinality(conkey) - 1] <@ conkey)
            """
        )
    assert [tuple(row) for row in rows] == []
