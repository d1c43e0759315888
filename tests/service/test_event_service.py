"""EventService with a real database: streams, places, limits, ends, and a server that goes away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest

from mnema.v1 import event_service_pb2 as pb
from mnema.v1.event_service_pb2_grpc import EventServiceStub
from services.ingest.events.cursors import cursor_of
from services.ingest.target import build_ingest
from services.runtime.config import EventSettings
from services.runtime.database import Database
from services.runtime.ids import TenantId, owner_of
from services.runtime.scope import Scope
from services.storage import events
from services.storage.events import DigestMade, Position
from services.storage.foundation import register_user
from tests.conftest import TestDatabase
from tests.patience import PATIENCE
from tests.service.ingest_world import USER, reason_of, until
from tests.service.ingest_world import a_world as ingest_world
from tests.service.serving import new_tenant, serving, settings_for

SOON = PATIENCE / 2  # long before anybody looks without being woken


@dataclass
class World:
    """A running ingest target, with whom to watch."""

    database: Database
    tenant_id: TenantId
    key: str
    stub: Any
    drain: Any

    async def tell(self, *numbers: int, user_id: str = "alice") -> None:
        owner_id = owner_of(self.tenant_id, user_id)
        async with self.database.transaction(Scope(self.tenant_id, owner_id)) as connection:
            await register_user(connection, owner_id, self.tenant_id, user_id)
            await events.record(connection, owner_id, [DigestMade(n, 0) for n in numbers])

    def watch(self, seconds: float = 10 * PATIENCE, **fields: Any) -> Any:
        request = pb.WatchRequest(**{"user_id": "alice", **fields})
        request.max_duration.FromTimedelta(timedelta(seconds=seconds))
        return self.stub.Watch(request, metadata=[("x-api-key", self.key)], timeout=20 * PATIENCE)

    async def listed(self, **fields: Any) -> pb.ListEventsResponse:
        request = pb.ListEventsRequest(**{"user_id": "alice", **fields})
        answer: pb.ListEventsResponse = await self.stub.ListEvents(
            request, metadata=[("x-api-key", self.key)], timeout=PATIENCE
        )
        return answer


@asynccontextmanager
async def a_world(test_database: TestDatabase, **settings: Any) -> AsyncIterator[World]:
    """Polling once a minute only: what comes sooner was woken."""
    chosen = EventSettings(**{"poll_seconds": 60, "heartbeat_seconds": 60, **settings})
    configured = settings_for(test_database.service_dsn, events=chosen)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(configured.database))
        tenant_id, key = await new_tenant(database)
        target = await build_ingest(configured, stack)
        tasks = [asyncio.ensure_future(each.run(stop)) for each in target.background]
        address = await stack.enter_async_context(serving(target, configured))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        try:
            stub: Any = EventServiceStub(channel)
            yield World(database, tenant_id, key, stub, target.drain)
        finally:
            stop.set()
            await asyncio.gather(*tasks)


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with a_world(test_database) as running:
        yield running


def numbers(answer: pb.WatchResponse | pb.ListEventsResponse) -> list[int]:
    return [each.digest.memories_analyzed for each in answer.events]


async def test_events_reach_a_watcher_as_they_happen(world: World) -> None:
    await world.tell(0)
    stream = world.watch()
    first = await stream.read()
    assert first.events == []
    assert first.cursor
    for n in range(1, 4):
        await world.tell(n, -n)
        async with asyncio.timeout(SOON):
            assert numbers(await stream.read()) == [n, -n]
    again = world.watch(cursor=first.cursor)
    assert numbers(await again.read()) == [1, -1, 2, -2, 3, -3]
    stream.cancel()
    again.cancel()


async def test_every_cursor_is_a_place_to_go_on_from(world: World) -> None:
    await world.tell(*range(7))
    page = await world.listed(page_size=3)
    assert (numbers(page), page.has_more) == ([0, 1, 2], True)
    assert numbers(await world.listed(cursor=page.events[0].cursor)) == [1, 2, 3, 4, 5, 6]
    rest = await world.listed(cursor=page.next_cursor)
    assert (numbers(rest), rest.has_more) == ([3, 4, 5, 6], False)
    nothing = await world.listed(cursor=rest.next_cursor)
    assert (numbers(nothing), bool(nothing.next_cursor)) == ([], True)
    await world.tell(7)
    assert numbers(await world.listed(cursor=nothing.next_cursor)) == [7]
    stream = world.watch(cursor=rest.next_cursor)
    assert numbers(await stream.read()) == [7]
    stream.cancel()


async def test_many_events_come_in_pages_to_a_slow_reader(world: World) -> None:
    start = await world.listed()
    await world.tell(*range(450))
    stream = world.watch(cursor=start.next_cursor)
    told: list[int] = []
    while len(told) < 450:
        answer = await stream.read()
        assert len(answer.events) <= 100
        told += numbers(answer)
        await asyncio.sleep(0.05)
    assert told == list(range(450))
    stream.cancel()


async def test_a_watcher_waits_for_older_transactions_without_polling(world: World) -> None:
    stream = world.watch()
    await stream.read()
    async with world.database.transaction(Scope()) as older:
        await older.execute("SELECT pg_current_xact_id()")
        await world.tell(1)
        reading = asyncio.create_task(stream.read())
        done, _ = await asyncio.wait({reading}, timeout=0.3)
        assert not done
    async with asyncio.timeout(SOON):
        assert numbers(await reading) == [1]
    stream.cancel()


async def test_types_and_the_whole_tenant(world: World) -> None:
    stream = world.watch(user_id="", types=[pb.EVENT_TYPE_DIGEST])
    other = world.watch(user_id="bob", types=[pb.EVENT_TYPE_LLM_CALL])
    await stream.read()
    await other.read()
    await world.tell(1)
    await world.tell(2, user_id="bob")
    told: list[Any] = []
    while len(told) < 2:
        told += (await stream.read()).events
    assert [(each.user_id, each.digest.memories_analyzed) for each in told] == [
        ("alice", 1),
        ("bob", 2),
    ]
    silent = asyncio.create_task(other.read())
    assert not (await asyncio.wait({silent}, timeout=0.2))[0]
    stream.cancel()
    other.cancel()
    await asyncio.wait({silent})


async def test_an_idle_watcher_hears_so_and_its_place_moves_on(test_database: TestDatabase) -> None:
    async with a_world(test_database, heartbeat_seconds=0.2) as world:
        began = asyncio.get_running_loop().time()
        stream = world.watch(types=[pb.EVENT_TYPE_LLM_CALL])
        answers = [await stream.read()]
        for _ in range(4):
            await world.tell(1)
            last = answers[-1].cursor
            async with asyncio.timeout(PATIENCE):
                while answers[-1].cursor == last:
                    answers.append(await stream.read())
        assert asyncio.get_running_loop().time() - began >= 0.19 * (len(answers) - 1)
        assert not any(answer.events for answer in answers)
        stream.cancel()


async def test_a_watcher_stays_as_long_as_it_wished(world: World) -> None:
    began = asyncio.get_running_loop().time()
    stream = world.watch(seconds=1.1)
    async with asyncio.timeout(SOON):
        while await stream.read() is not grpc.aio.EOF:
            pass
    assert asyncio.get_running_loop().time() - began >= 1
    assert await stream.code() == grpc.StatusCode.OK


async def test_too_many_watchers_are_refused(test_database: TestDatabase) -> None:
    async with a_world(test_database, max_watchers=2) as world:
        streams = [world.watch() for _ in range(2)]
        for stream in streams:
            await stream.read()
        refused = (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")
        assert await reason_of(world.watch().read()) == refused
        streams[0].cancel()
        async with asyncio.timeout(PATIENCE):
            while True:
                another = world.watch()
                try:
                    await another.read()
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.02)
        for stream in (*streams, another):
            stream.cancel()


async def test_a_server_that_goes_down_says_so(world: World) -> None:
    stream = world.watch()
    await stream.read()
    reading = asyncio.create_task(stream.read())
    for drain in world.drain:
        await drain()
    assert await reason_of(reading) == (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")


async def test_cursors_that_are_none_and_cursors_that_are_too_old(world: World) -> None:
    malformed = (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_MALFORMED")
    good = (await world.listed()).next_cursor
    spoilt = ("B" if good[0] == "A" else "A") + good[1:]
    for cursor in ("x", "never", good[:-4], good + "AAAA", spoilt, "é" * 36):
        assert await reason_of(world.listed(cursor=cursor)) == malformed
        assert await reason_of(world.watch(cursor=cursor).read()) == malformed
    expired = (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED")
    now = datetime.now(UTC)
    old = cursor_of(Position(5, 1, now - timedelta(hours=25)))
    ahead = cursor_of(Position(2**62, 1, now))  # the database was set back
    for cursor in (old, ahead):
        assert await reason_of(world.listed(cursor=cursor)) == expired
        assert await reason_of(world.watch(cursor=cursor).read()) == expired


async def test_the_worker_removes_what_is_too_old(test_database: TestDatabase) -> None:
    async with ingest_world(test_database) as world:
        owner_id = owner_of(world.tenant_id, USER)
        async with world.database.transaction(Scope(world.tenant_id, owner_id)) as connection:
            await register_user(connection, owner_id, world.tenant_id, USER)
            await events.record(connection, owner_id, [DigestMade(n, 0) for n in range(1200)])
        superuser = await asyncpg.connect(test_database.superuser_dsn)
        await superuser.execute(
            "UPDATE events SET recorded_at = now() - interval '26 hours'"
            " WHERE (details->>'memories_analyzed')::int <> 7"
        )
        await superuser.close()

        async def one_is_left() -> bool:
            return await world.count("events") == 1

        async with world.working(None):
            await until(one_is_left)


async def test_a_broken_connection_of_wake_ups_is_replaced(
    world: World, test_database: TestDatabase
) -> None:
    """Every connection of the services is cut, as by a restart of the database."""
    stream = world.watch()
    await stream.read()
    connection = await asyncpg.connect(test_database.superuser_dsn)
    listeners = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND usename = 'mnema_service' AND query LIKE 'LISTEN%' AND pid <> ALL($1::int[])"
    )
    rows = await connection.fetch(
        "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'mnema_service' AND datname = current_database()"
    )
    cut = [row["pid"] for row in rows]
    assert len(cut) >= 2

    async def listens() -> bool:
        return bool(await connection.fetchval(listeners, cut))

    async def all_are_cut() -> bool:
        left = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1::int[])"
        return not await connection.fetchval(left, cut)

    await until(all_are_cut)
    await until(listens)
    await connection.close()
    await world.tell(1)
    async with asyncio.timeout(SOON):
        while not (answer := await stream.read()).events:
            pass
    assert numbers(answer) == [1]
    stream.cancel()
