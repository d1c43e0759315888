"""Long work of several callers on one thread: each goes on for some milliseconds at a time.

Work is a generator that yields wherever it may be interrupted. A thread for each caller would
not be faster, as one interpreter runs them all, and none of them would end before the others.
"""

import asyncio
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]

TURN_SECONDS = 0.005
"""What somebody waits for each of the others, and fifty times what it takes to change turns."""


async def in_turns(steps: Steps[T]) -> T:
    """What the work returns, done off the event loop.

    After each turn it stands in line behind everybody else's. Once the caller is cancelled, as a
    call is whose time has run out, no further turn begins.
    """
    loop = asyncio.get_running_loop()
    while True:
        ended = await loop.run_in_executor(_thread(), _turn, steps)
        if ended is not None:
            return ended[0]


def at_once(steps: Steps[T]) -> T:
    """What the work returns, done here and now."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: T = end.value
            return value


def _turn(steps: Steps[T]) -> tuple[T] | None:
    """The next steps; what the work returns if it has ended with them."""
    until = time.perf_counter() + TURN_SECONDS
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return (end.value,)
        if time.perf_counter() >= until:
            return None


@cache
def _thread() -> ThreadPoolExecutor:
    """One for all; its line is first in, first out."""
    return ThreadPoolExecutor(1, "turns")
