"""One at a time for each user, in the order of coming."""

import asyncio
from uuid import uuid4

import pytest

from services.reflect.one_at_a_time import OneAtATime
from services.runtime.ids import OwnerId

ALICE, BOB = OwnerId(uuid4()), OwnerId(uuid4())


async def test_one_user_s_turns_come_in_order_and_another_s_beside_them() -> None:
    turns, told = OneAtATime(), []
    go = asyncio.Event()

    async def take(owner_id: OwnerId, name: str) -> None:
        async with turns.of(owner_id):
            told.append(f"{name} begins")
            await go.wait()
            told.append(f"{name} ends")

    tasks = [asyncio.create_task(take(ALICE, name)) for name in ("first", "second", "third")]
    tasks.append(asyncio.create_task(take(BOB, "other")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told == ["first begins", "other begins"]
    tasks[1].cancel()  # who no longer waits is passed over
    go.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert told[-2:] == ["third begins", "third ends"]
    assert "second begins" not in told


async def test_a_turn_that_fails_is_over() -> None:
    turns = OneAtATime()
    with pytest.raises(ValueError, match="no"):
        async with turns.of(ALICE):
            raise ValueError("no")
    async with asyncio.timeout(60), turns.of(ALICE):
        pass
