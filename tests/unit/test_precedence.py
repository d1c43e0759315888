"""Extractions wait for embeddings, but not for ever."""

import asyncio
import time

from services.ingest.precedence import Precedence


async def test_an_extraction_waits_until_nothing_is_embedded() -> None:
    precedence = Precedence(patience=30.0, pause=0.01)
    with precedence.embedding():
        with precedence.embedding():
            turn = asyncio.create_task(precedence.turn())
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)
        assert not turn.done()
    async with asyncio.timeout(5):
        await turn


async def test_a_moment_between_two_embeddings_is_not_the_end() -> None:
    precedence = Precedence(patience=30.0, pause=0.2)
    with precedence.embedding():
        pass
    turn = asyncio.create_task(precedence.turn())
    await asyncio.sleep(0.01)
    with precedence.embedding():
        await asyncio.sleep(0.4)
        assert not turn.done()
    async with asyncio.timeout(5):
        await turn


async def test_no_extraction_waits_longer_than_the_patience() -> None:
    precedence = Precedence(patience=0.1, pause=0.01)
    began = time.monotonic()
    with precedence.embedding():
        await precedence.turn()
    assert 0.1 <= time.monotonic() - began < 5


async def test_nothing_is_waited_for_where_nothing_is_embedded() -> None:
    precedence = Precedence(patience=30.0, pause=30.0)
    async with asyncio.timeout(5):
        await precedence.turn()
