"""Values under names: revisions, lists that grow, and reads of an earlier moment."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.runtime.ids import new_id
from services.storage import key_values
from services.storage.foundation import lock_owner
from services.storage.key_values import KeyValueRow
from tests.conftest import TestDatabase
from tests.store.owners import Owner, new_owner, opened
from tests.store.plans import analyze, plan_of

SPACE = "profile"


@pytest.fixture
async def user(test_database: TestDatabase) -> AsyncIterator[Owner]:
    async with opened(test_database) as database:
        yield await new_owner(database)


async def put(user: Owner, values: dict[str, Any]) -> list[KeyValueRow]:
    async with user.transaction() as connection:
        await lock_owner(connection, user.owner_id)
        return await key_values.set_values(connection, user.owner_id, SPACE, values)


async def append(user: Owner, key: str, *values: Any) -> KeyValueRow:
    async with user.transaction() as connection:
        await lock_owner(connection, user.owner_id)
        return await key_values.append_values(connection, user.owner_id, SPACE, key, values)


async def test_lists_grow_without_repeating(user: Owner) -> None:
    assert (await append(user, "likes", "Tea", "chess")).value == ["Tea", "chess"]
    grown = await append(user, "likes", "tea", "jazz", {"a": 1}, {"a": 1})
    assert (grown.value, grown.revision) == (["Tea", "chess", "jazz", {"a": 1}], 2)
    assert await append(user, "likes", "CHESS") == grown


async def test_a_single_value_becomes_the_first_of_a_list(user: Owner) -> None:
    await put(user, {"pet": "cat", "nothing": None})
    assert (await append(user, "pet", "dog")).value == ["cat", "dog"]
    assert (await append(user, "nothing", 1)).value == [None, 1]


async def test_nulls_and_numbers_are_kept_apart(user: Owner) -> None:
    stored = await put(user, {"null": None, "int": 3, "float": 2.5, "text": "3"})
    assert [row.value for row in stored] == [None, 3, 2.5, "3"]
    async with user.transaction() as connection:
        found = await key_values.get_value(connection, user.owner_id, SPACE, "null")
        missing = await key_values.get_value(connection, user.owner_id, SPACE, "none")
    assert found == stored[0]
    assert missing is None


async def test_each_revision_ends_when_the_next_one_begins(user: Owner) -> None:
    first = (await put(user, {"k": 1}))[0]
    second = (await put(user, {"k": 2}))[0]
    async with user.transaction() as connection:
        for moment, value in (
            (first.recorded_at, 1),
            (second.recorded_at - timedelta(microseconds=1), 1),
            (second.recorded_at, 2),
        ):
            row = await key_values.get_value(connection, user.owner_id, SPACE, "k", moment)
            assert row is not None
            assert row.value == value
        assert await key_values.delete_values(connection, user.owner_id, SPACE, ["k", "x"]) == ["k"]


async def test_a_transaction_that_began_earlier_does_not_write_into_the_past(
    user: Owner,
) -> None:
    async with user.transaction() as early:  # its time is now
        await early.fetchval("SELECT now()")
        later = (await put(user, {"k": "later transaction"}))[0]
        await lock_owner(early, user.owner_id)
        (row,) = await key_values.set_values(early, user.owner_id, SPACE, {"k": "early one"})
    assert row.recorded_at > later.recorded_at
    assert row.revision == 2


async def test_two_revisions_in_one_transaction_leave_the_last(user: Owner) -> None:
    async with user.transaction() as connection:
        await key_values.set_values(connection, user.owner_id, SPACE, {"k": 1}, new_id())
        await key_values.set_values(connection, user.owner_id, SPACE, {"k": 2}, new_id())
    async with user.transaction() as connection:
        row = await key_values.get_value(connection, user.owner_id, SPACE, "k")
        assert row is not None
        as_of = await key_values.get_value(connection, user.owner_id, SPACE, "k", row.recorded_at)
    assert (row.value, row.revision) == (2, 2)
    assert as_of == row


async def test_hot_statements_use_their_indexes(user: Owner, test_database: TestDatabase) -> None:
    for n in range(3):
        await put(user, {f"key {m}": n for m in range(1500)})
    await analyze(test_database)
    listing = await plan_of(
        user, key_values.SQL["list_values"], user.owner_id, SPACE, "key 7", "key 70", 10
    )
    assert "uq_key_values_present" in listing
    assert "Sort" not in listing
    for name, extra in (("get_value", ()), ("get_value_as_of", (datetime.now(UTC),))):
        plan = await plan_of(user, key_values.SQL[name], user.owner_id, SPACE, "key 7", *extra)
        assert "Index" in plan
        assert "Seq Scan" not in plan
