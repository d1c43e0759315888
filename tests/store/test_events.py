"""Events: written with what they tell of, read once each and in one order, removed by age."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from services.runtime.database import Connection, Database
from services.runtime.ids import TenantId, owner_of
from services.runtime.scope import Scope
from services.storage import events, extractions, rollbacks
from services.storage.events import (
    Call,
    DigestMade,
    EmbeddingCalled,
    EventRow,
    ExtractionEnded,
    MemoryChanged,
    Position,
    Reading,
)
from services.storage.extraction_commit import Vacated, commit_findings
from services.storage.extractions import Failure
from services.storage.foundation import lock_owner, register_user
from services.storage.memories import retract_memory
from services.storage.memory_rows import NewMemory
from tests.conftest import TestDatabase
from tests.patience import PATIENCE
from tests.store.memory_world import JULY, JUNE, MAY, World
from tests.store.owners import Owner, new_owner, opened
from tests.store.plans import analyze
from tests.store.test_extractions import begin, found

EMBEDDED = EmbeddingCalled(1, "m", 2.0, success=True)


@pytest.fixture
async def user(test_database: TestDatabase) -> AsyncIterator[Owner]:
    async with opened(test_database) as database:
        yield await new_owner(database)


def start() -> Position:
    return Position(0, 0, datetime.now(UTC))


async def read(
    user: Owner, after: Position, *kinds: str, limit: int = 100, scope: Scope | None = None
) -> Reading:
    scope = scope or Scope(user.tenant_id, user.owner_id)
    async with user.database.transaction(scope, readonly=True) as connection:
        return await events.read(connection, scope, after, kinds, limit)


async def all_of(user: Owner) -> list[EventRow]:
    return list((await read(user, start())).events)


async def tell(user: Owner, *numbers: int) -> None:
    async with user.transaction() as connection:
        await events.record(connection, user.owner_id, [DigestMade(each, 0) for each in numbers])


def numbers(reading: Reading) -> list[int]:
    return [
        each.payload.memories_analyzed
        for each in reading.events
        if isinstance(each.payload, DigestMade)
    ]


def home(content: str, event_at: datetime | None) -> NewMemory:
    return NewMemory("fact", content, slot="alice/home", event_at=event_at)


async def test_changes_of_memories_are_told(user: Owner) -> None:
    world = World(user)
    (first,) = await world.remember(home("Lives in Rome.", MAY))
    (again,) = await world.remember(home("Lives in Rome.", MAY))
    (second,) = await world.remember(home("Lives in Bonn.", JULY))
    (late,) = await world.remember(home("Lives in Oslo.", JUNE))
    await world.update(second.memory_id, home("Lives in Cologne.", None))
    async with world.writing() as connection:
        assert await retract_memory(connection, user.owner_id, second.memory_id)
    assert again.memory_id == first.memory_id
    one, two, three = str(first.memory_id), str(second.memory_id), str(late.memory_id)
    assert [each.payload for each in await all_of(user)] == [
        MemoryChanged(one, "added", "fact", 1),
        MemoryChanged(one, "refreshed", "fact", 1),
        MemoryChanged(one, "superseded", "fact", 1, two),
        MemoryChanged(two, "added", "fact", 1),
        MemoryChanged(three, "superseded", "fact", 1, two),
        MemoryChanged(two, "updated", "fact", 2),
        MemoryChanged(two, "deleted", "fact", 2),
    ]


async def test_what_a_rollback_takes_and_brings_back_is_told(user: Owner) -> None:
    world = World(user)
    (kept,) = await world.remember(NewMemory("fact", "Plays chess."))
    (lost,) = await world.remember(NewMemory("preference", "Prefers tea."))
    async with user.transaction() as connection:
        moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    await world.update(kept.memory_id, NewMemory("fact", "Plays go."))
    async with world.writing() as connection:
        await retract_memory(connection, user.owner_id, lost.memory_id)
    (new,) = await world.remember(NewMemory("fact", "Swims."))
    before = len(await all_of(user))
    async with user.transaction() as connection:
        await rollbacks.roll_back(connection, user.owner_id, moment)
    told = [each.payload for each in (await all_of(user))[before:]]
    assert sorted(told, key=str) == sorted(
        [
            MemoryChanged(str(new.memory_id), "deleted", "fact", 1),
            MemoryChanged(str(kept.memory_id), "updated", "fact", 3),
            MemoryChanged(str(lost.memory_id), "added", "preference", 2),
        ],
        key=str,
    )


async def test_an_extraction_is_told_with_what_it_changed(user: Owner) -> None:
    world = World(user)
    (job,) = await world.remember(NewMemory("fact", "Works at Google.", slot="alice/employer"))
    extraction_id, message_id = await begin(user)
    async with user.transaction() as connection:
        findings = await found(connection, extraction_id, message_id)
        left = Vacated("alice/employer", "Google", datetime.now(UTC))
        object.__setattr__(findings, "vacated", (left,))
        for done in (True, False):  # the second run of the same job tells nothing
            committed = await commit_findings(connection, user.owner_id, extraction_id, findings)
            assert committed is done
    _, *told = [each.payload for each in await all_of(user)]
    assert [each.change for each in told[:-1] if isinstance(each, MemoryChanged)] == [
        "added",
        "added",
        "ended",
    ]
    assert told[2] == MemoryChanged(str(job.memory_id), "ended", "fact", 1)
    assert told[-1] == ExtractionEnded("s", str(extraction_id), 1, 12, 1, 1, 1)


async def test_a_failed_attempt_is_told_and_a_rolled_back_change_is_not(user: Owner) -> None:
    extraction_id, _ = await begin(user, max_attempts=2)
    failure = Failure("quoting the user's text", "PROVIDER_UNAVAILABLE", "local")
    for attempt in range(2):
        async with user.transaction() as connection:
            await extractions.note_failure(
                connection, user.owner_id, extraction_id, failure, begun_with=attempt
            )
    with pytest.raises(RuntimeError, match="no"):
        async with user.transaction() as connection:
            await events.record(connection, user.owner_id, [DigestMade(1, 1)])
            raise RuntimeError("no")
    told = [each.payload for each in await all_of(user)]
    assert [(each.reason, each.will_retry) for each in told if isinstance(each, ExtractionEnded)] \
        == [("PROVIDER_UNAVAILABLE", True), ("PROVIDER_UNAVAILABLE", False)]  # fmt: skip
    assert len(told) == 2
    assert "quoting" not in str(told)


async def test_what_commits_late_is_neither_missed_nor_overtaken(user: Owner) -> None:
    """The transaction that began to write first commits last; sequences say the opposite."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def long_one() -> None:
        async with user.transaction() as connection:
            await connection.execute("SELECT pg_current_xact_id()")
            begun.set()
            await go_on.wait()
            await events.record(connection, user.owner_id, [DigestMade(1, 0)])

    writing = asyncio.create_task(long_one())
    await begun.wait()
    await tell(user, 2)
    early = await read(user, start())
    assert (early.events, early.more, early.pending) == ((), False, True)
    idle = await read(user, early.position)
    assert idle.pending
    go_on.set()
    await writing
    late = await read(user, idle.position)
    assert numbers(late) == [1, 2]
    assert not late.pending
    assert (await read(user, late.position)).events == ()


async def test_resumed_readers_see_each_event_once(user: Owner) -> None:
    """Many writers of short and long transactions; a reader that forgets all but its place."""
    random_pauses = [0.0, 0.0, 0.002, 0.02, 0.08]
    done = asyncio.Event()

    async def write(writer: int) -> None:
        for n in range(40):
            async with user.transaction() as connection:
                number = writer * 1000 + n * 2
                await events.record(connection, user.owner_id, [DigestMade(number, 0)])
                await asyncio.sleep(random_pauses[(n * 7 + writer) % len(random_pauses)])
                await events.record(connection, user.owner_id, [DigestMade(number + 1, 0)])

    async def watch(limit: int) -> tuple[list[int], list[UUID]]:
        place, seen, ids = start(), list[int](), list[UUID]()
        while True:
            last = done.is_set()
            reading = await read(user, place, limit=limit)
            place = reading.position
            seen += numbers(reading)
            ids += [each.event_id for each in reading.events]
            if last and not reading.events:
                return seen, ids
            if not reading.more:
                await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as group:
        watchers = [group.create_task(watch(limit)) for limit in (1, 3, 100)]
        await asyncio.gather(*(write(writer) for writer in range(6)))
        done.set()
    wanted = sorted(w * 1000 + n for w in range(6) for n in range(80))
    orders = [watcher.result() for watcher in watchers]
    assert sorted(orders[0][0]) == wanted
    assert orders[0] == orders[1] == orders[2]


async def test_only_new_events_from_the_horizon_on(user: Owner) -> None:
    await tell(user, 1)
    async with user.database.transaction(Scope(), readonly=True) as connection:
        now = await events.horizon(connection)
    await tell(user, 2, 3)
    reading = await read(user, now)
    assert numbers(reading) == [2, 3]
    assert numbers(await read(user, reading.events[0].position)) == [3]


async def test_kinds_are_filtered_and_places_go_on_past_the_others(user: Owner) -> None:
    await tell(user, 1)
    await World(user).remember(NewMemory("fact", "Likes tea."))
    await tell(user, 2)
    only = await read(user, start(), "digest")
    assert numbers(only) == [1, 2]
    none = await read(user, start(), "llm_call")
    assert none.events == ()
    assert (await read(user, none.position)).events == ()


async def test_a_reading_looks_at_a_bounded_number(user: Owner) -> None:
    """Few events among many of other kinds are found in several readings."""
    await World(user).remember(NewMemory("fact", "Likes tea."))
    await tell(user, *range(4500))
    await World(user).remember(NewMemory("fact", "Likes milk."))
    place, found, readings = start(), 0, 0
    while True:
        reading = await read(user, place, "memory_changed")
        place, found, readings = reading.position, found + len(reading.events), readings + 1
        if not reading.more:
            break
    assert (found, readings) == (2, 3)


async def test_owners_and_tenants_see_their_own(user: Owner) -> None:
    stranger = await new_owner(user.database, "alice")
    bob = Owner(user.database, user.tenant_id, owner_of(user.tenant_id, "bob"))
    async with bob.transaction() as connection:
        await register_user(connection, bob.owner_id, bob.tenant_id, "bob")
    await tell(user, 1)
    await tell(bob, 2)
    await tell(stranger, 3)
    assert numbers(await read(user, start())) == [1]
    tenant = Scope(user.tenant_id)
    told = await read(user, start(), scope=tenant)
    assert [(each.user_id, each.payload) for each in told.events] == [
        ("alice", DigestMade(1, 0)),
        ("bob", DigestMade(2, 0)),
    ]
    # A transaction of alice's finds nothing by her tenant's or bob's key.
    async with user.transaction() as connection:
        for scope in (tenant, Scope(bob.tenant_id, bob.owner_id)):
            reading = await events.read(connection, scope, start(), (), 10)
            assert {each.user_id for each in reading.events} <= {"alice"}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await record_call(user.database, Scope(stranger.tenant_id), user.tenant_id)


async def record_call(database: Database, scope: Scope, tenant_id: TenantId) -> None:
    owners = (owner_of(tenant_id, "alice"), owner_of(tenant_id, "nobody"), tenant_id)
    calls = [Call(each, EMBEDDED, datetime.now(UTC)) for each in owners]
    async with database.transaction(scope) as connection:
        await events.record_calls(connection, tenant_id, calls)


async def test_calls_are_told_to_the_tenant_and_name_nobody_who_is_not_there(user: Owner) -> None:
    await record_call(user.database, Scope(user.tenant_id), user.tenant_id)
    told = await read(user, start(), scope=Scope(user.tenant_id))
    assert [(each.user_id, each.payload) for each in told.events] == [
        ("alice", EMBEDDED),
        ("", EMBEDDED),
        ("", EMBEDDED),
    ]
    assert len((await read(user, start())).events) == 1
    nobody = Scope(user.tenant_id, owner_of(user.tenant_id, "nobody"))
    assert (await read(user, start(), scope=nobody)).events == ()


async def test_a_transaction_tells_those_who_listen_when_it_commits(user: Owner) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with user.database.listening() as connection:
        await connection.add_listener(events.CHANNEL, lambda *given: heard.put_nowait(given[3]))
        async with user.transaction() as writing:
            await events.record(writing, user.owner_id, [DigestMade(1, 0), DigestMade(2, 0)])
            await events.record(writing, user.owner_id, [DigestMade(3, 0)])
            await connection.execute("SELECT 1")
            assert heard.empty()
        async with asyncio.timeout(PATIENCE):
            assert await heard.get() == f"{user.tenant_id} {user.owner_id}"
        await connection.execute("SELECT 1")
        assert heard.empty()


async def age(test_database: TestDatabase, hours: float) -> None:
    connection = await asyncpg.connect(test_database.superuser_dsn)
    await connection.execute(
        "UPDATE events SET recorded_at = recorded_at - $1::interval", timedelta(hours=hours)
    )
    await connection.close()


async def test_old_events_are_removed_in_small_batches(
    user: Owner, test_database: TestDatabase
) -> None:
    await tell(user, *range(1500))
    await age(test_database, 26)
    await tell(user, 2000, 2001)
    kept = timedelta(hours=24)

    async def purge(connection: Connection) -> int:
        return await events.purge(connection, kept)

    stranger = await new_owner(user.database)
    async with stranger.transaction() as connection:
        assert await purge(connection) == 0  # nothing of its own
    removed = [await user.database.run(Scope(queue=True), purge) for _ in range(3)]
    assert removed == [1000, 500, 0]
    assert numbers(await read(user, start())) == [2000, 2001]


async def test_reading_uses_the_keys(user: Owner, test_database: TestDatabase) -> None:
    for n in range(20):
        other = await new_owner(user.database, f"user {n}")
        await tell(other, *range(100))
    await tell(user, *range(100))
    await analyze(test_database)
    scopes = {
        "read_owner_events": (Scope(user.tenant_id, user.owner_id), user.owner_id, "pk_events"),
        "read_tenant_events": (Scope(user.tenant_id), user.tenant_id, "ix_events_tenant"),
    }
    for statement, (scope, key, index) in scopes.items():
        async with user.database.transaction(scope) as connection:
            rows = await connection.fetch(
                f"EXPLAIN {events.SQL[statement]}", key, 0, 0, ["digest"], 100, 2000
            )
        plan = "\n".join(row[0] for row in rows)
        assert index in plan
        assert "Seq Scan on events" not in plan
    async with user.database.transaction(Scope(queue=True)) as connection:
        rows = await connection.fetch(
            f"EXPLAIN {events.SQL['purge_events']}", timedelta(hours=24), 1000
        )
    assert "ix_events_age" in "\n".join(row[0] for row in rows)


async def test_a_message_writes_no_event(user: Owner) -> None:
    await begin(user)
    assert await all_of(user) == []
    async with user.transaction() as connection:
        await lock_owner(connection, user.owner_id)
        await events.record(connection, user.owner_id, [])
    assert await all_of(user) == []
