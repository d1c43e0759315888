"""Extractions wait for embeddings, but not for ever."""

import asyncio

import pytest

from services.ingest.precedence import Precedence


class Clock:
    """The event loop's clock, which goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    async def passes(self, seconds: float) -> None:
        """So much time passes, for all that wait by now; they do what comes then."""
        await self._settles()
        self.now += seconds
        await self._settles()

    async def _settles(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock.now)
    return clock


async def test_an_extraction_waits_until_nothing_is_embedded(clock: Clock) -> None:
    precedence = Precedence(patience=30.0, pause=0.25)
    with precedence.embedding():
        with precedence.embedding():
            turn = asyncio.create_task(precedence.turn())
            await clock.passes(5)
        await clock.passes(5)
        assert not turn.done()
    await clock.passes(0.25)
    assert turn.done()


async def test_a_moment_between_two_embeddings_is_not_the_end(clock: Clock) -> None:
    precedence = Precedence(patience=30.0, pause=0.25)
    with precedence.embedding():
        pass
    turn = asyncio.create_task(precedence.turn())
    await clock.passes(0.125)
    with precedence.embedding():
        await clock.passes(5)
        assert not turn.done()
    await clock.passes(0.125)
    assert not turn.done()
    await clock.passes(0.125)
    assert turn.done()


async def test_no_extraction_waits_longer_than_the_patience(clock: Clock) -> None:
    precedence = Precedence(patience=3.0, pause=0.25)
    with precedence.embedding():
        turn = asyncio.create_task(precedence.turn())
        await clock.passes(2.875)
        assert not turn.done()
        await clock.passes(0.125)
        assert turn.done()


async def test_nothing_is_waited_for_where_nothing_is_embedded(clock: Clock) -> None:
    turn = asyncio.create_task(Precedence(patience=30.0, pause=30.0).turn())
    await clock.passes(0)
    assert turn.done()
