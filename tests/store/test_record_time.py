"""What is recorded is recorded when it could be known: not when its transaction began to wait."""

import asyncio
from datetime import datetime, timedelta

import asyncpg

from services.storage import foundation, rollbacks
from services.storage.memories import remember
from services.storage.memory_rows import NewMemory
from tests.conftest import TestDatabase
from tests.store.memory_world import World, world

__all__ = ["world"]  # the fixture


async def now(world: World) -> datetime:
    async with world.owner.transaction() as connection:
        moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return moment


async def add_behind(world: World, lock: asyncio.Event, begun: asyncio.Event) -> None:
    """Adds a memory in a transaction that begins at once and asks for the lock when it may."""
    async with world.owner.transaction() as connection:
        space = await foundation.active_space(connection)
        begun.set()
        await lock.wait()
        await foundation.lock_owner(connection, world.owner.owner_id)
        await remember(connection, world.owner.owner_id, [NewMemory("fact", "Late")], space)


async def test_a_read_as_of_a_moment_shows_what_a_read_at_it_showed(world: World) -> None:
    begun, lock = asyncio.Event(), asyncio.Event()
    writing = asyncio.create_task(add_behind(world, lock, begun))
    await begun.wait()
    moment = await now(world)
    assert await world.present() == []
    lock.set()
    await writing
    assert await world.present() == ["Late"]
    assert await world.present(as_of=moment) == []
    async with world.owner.transaction() as connection:
        done = await rollbacks.roll_back(connection, world.owner.owner_id, moment)
    assert done.memories_retracted == 1
    assert await world.present() == []


async def test_an_undo_takes_back_what_came_behind_the_rollback(world: World) -> None:
    past = await now(world)
    begun, lock = asyncio.Event(), asyncio.Event()
    writing = asyncio.create_task(add_behind(world, lock, begun))
    await begun.wait()
    async with world.owner.transaction() as connection:
        done = await rollbacks.roll_back(connection, world.owner.owner_id, past)
    lock.set()
    await writing
    async with world.owner.transaction() as connection:
        undone = await rollbacks.undo_rollback(connection, world.owner.owner_id, done.rollback_id)
    assert undone.memories_retracted == 1
    assert await world.present() == []


async def test_a_rollback_is_later_than_what_a_clock_ahead_of_ours_recorded(
    world: World, test_database: TestDatabase
) -> None:
    (kept,) = await world.remember(NewMemory("fact", "From tomorrow"))
    past = await now(world) - timedelta(hours=1)
    superuser = await asyncpg.connect(test_database.superuser_dsn)
    await superuser.execute(
        "UPDATE memories SET recorded_at = recorded_at + interval '1 day', "
        "last_refreshed_at = last_refreshed_at + interval '1 day' WHERE item_id = $1",
        kept.item_id,
    )
    await superuser.close()
    async with world.owner.transaction() as connection:
        done = await rollbacks.roll_back(connection, world.owner.owner_id, past)
    assert done.memories_retracted == 1
    assert await world.present() == []
    async with world.owner.transaction() as connection:
        await rollbacks.undo_rollback(connection, world.owner.owner_id, done.rollback_id)
    assert await world.present() == ["From tomorrow"]
