"""Sessions and messages: places without gaps, pages without holes, and the indexes behind them."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from services.runtime.errors import FailedPrecondition
from services.runtime.ids import OwnerId, new_id
from services.storage import messages, sessions
from services.storage.messages import MessageRow, NewMessage
from tests.conftest import TestDatabase
from tests.store.owners import Owner, new_owner, opened
from tests.store.plans import analyze, plan_of


@pytest.fixture
async def user(test_database: TestDatabase) -> AsyncIterator[Owner]:
    async with opened(test_database) as database:
        yield await new_owner(database)


async def store(
    user: Owner, session_id: str, count: int, state: str = "pending"
) -> list[MessageRow]:
    async with user.transaction() as connection:
        reserved = await sessions.reserve_sequences(connection, user.owner_id, {session_id: count})
        first = reserved[session_id].last - count + 1
        new = [
            NewMessage(new_id(), session_id, first + n, "user", f"{session_id} {first + n}")
            for n in range(count)
        ]
        return await messages.insert_messages(connection, user.owner_id, new, state)


async def test_sessions_are_numbered_once_as_they_come(user: Owner) -> None:
    async def reserve(*session_ids: str) -> dict[str, int]:
        async with user.transaction() as connection:
            counts = dict.fromkeys(session_ids, 1)
            reserved = await sessions.reserve_sequences(connection, user.owner_id, counts)
            return {name: each.number for name, each in reserved.items()}

    assert await reserve("zebra", "ape", "bee") == {"zebra": 1, "ape": 2, "bee": 3}
    batches = [[f"s{(7 * n + m) % 9}" for m in range(4)] for n in range(10)]
    answers = await asyncio.gather(*(reserve("ape", *batch) for batch in batches))
    async with user.transaction() as connection:
        assert await sessions.create_session(connection, user.owner_id, "s0", {}) is None
        assert await sessions.create_session(connection, user.owner_id, "opened", {})
        rows = await connection.fetch("SELECT session_id, number FROM sessions")
    numbers = {row["session_id"]: row["number"] for row in rows}
    assert len(numbers) == len(set(numbers.values())) == 3 + 9 + 1
    assert all(numbers[name] == given for answer in answers for name, given in answer.items())
    assert (numbers["ape"], max(numbers, key=lambda name: numbers[name])) == (2, "opened")


async def test_concurrent_writers_get_places_without_gaps(user: Owner) -> None:
    stored = await asyncio.gather(*(store(user, "s", n % 3 + 1) for n in range(12)))
    places = sorted(row.sequence for rows in stored for row in rows)
    assert places == list(range(1, len(places) + 1))
    async with user.transaction() as connection:
        session = await sessions.get_session(connection, user.owner_id, "s")
    assert session is not None
    assert session.message_count == len(places)


async def test_a_closed_session_among_others_reserves_nothing(user: Owner) -> None:
    await store(user, "open", 1)
    await store(user, "shut", 1)
    async with user.transaction() as connection:
        await sessions.lock_session(connection, user.owner_id, "shut")
        await sessions.close_session(connection, user.owner_id, "shut")
    with pytest.raises(FailedPrecondition) as refused:
        async with user.transaction() as connection:
            await sessions.reserve_sequences(connection, user.owner_id, {"open": 1, "shut": 1})
    assert refused.value.reason == "SESSION_CLOSED"
    async with user.transaction() as connection:
        session = await sessions.get_session(connection, user.owner_id, "open")
    assert session is not None
    assert session.message_count == 1


async def test_messages_come_in_the_order_they_are_asked_for(user: Owner) -> None:
    rows = await store(user, "s", 5)
    asked: list[UUID] = [rows[3].message_id, uuid4(), rows[0].message_id]
    async with user.transaction() as connection:
        got = await messages.get_messages(connection, user.owner_id, asked)
    assert got == [rows[3], rows[0]]
    assert got[0].metadata == {}
    assert got[0].said_at == got[0].recorded_at


async def test_another_owner_gets_nothing(user: Owner) -> None:
    (row,) = await store(user, "s", 1)
    bob = OwnerId(uuid4())
    async with user.transaction() as connection:
        assert await messages.get_messages(connection, bob, [row.message_id]) == []
        assert await sessions.get_session(connection, bob, "s") is None


async def test_pages_follow_each_other_without_a_gap(user: Owner) -> None:
    stored = [row for n in range(7) for row in await store(user, f"s{n % 2}", 3)]
    seen: list[MessageRow] = []
    while True:
        after = (seen[-1].recorded_at, seen[-1].message_id) if seen else None
        async with user.transaction() as connection:
            page = await messages.list_messages(
                connection, user.owner_id, extraction_state="", after=after, limit=4
            )
        seen += page
        if len(page) < 4:
            break
    assert seen == stored
    async with user.transaction() as connection:
        tail = await messages.list_session_messages(
            connection, user.owner_id, "s1", extraction_state="pending", after=2, limit=100
        )
    assert [row.sequence for row in tail] == list(range(3, 10))


async def test_hot_statements_use_their_indexes(user: Owner, test_database: TestDatabase) -> None:
    for n in range(40):
        await store(user, f"s{n}", 100, "pending" if n % 10 == 0 else "done")
    async with user.transaction() as connection:
        many = {f"more {n}": 1 for n in range(2000)}
        await sessions.reserve_sequences(connection, user.owner_id, many)
    await analyze(test_database)
    owner = user.owner_id
    plans = {
        "uq_messages_sequence": await plan_of(
            user, messages.SQL["list_session_messages"], owner, "s7", "", 50, 10, None
        ),
        "ix_messages_owner_recorded": await plan_of(
            user, messages.SQL["list_messages"], owner, "", None, None, 10, None
        ),
        "ix_messages_unextracted": await plan_of(
            user, messages.SQL["list_pending"], owner, "s10", 21
        ),
        "ix_sessions_owner_latest": await plan_of(
            user, sessions.SQL["list_sessions"], owner, None, None, 10
        ),
        "pk_messages": await plan_of(
            user, messages.SQL["get_messages"], owner, [uuid4(), uuid4()], None
        ),
    }
    for index, plan in plans.items():
        assert index in plan, plan
        assert "Seq Scan" not in plan
        assert "Sort" not in plan or index == "pk_messages"
