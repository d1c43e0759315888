"""Waiting for what the system does by itself: ask again until it holds, or a deadline."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def until(
    look: Callable[[], Seen], holds: Callable[[Seen], bool], *, seconds: float = 90.0
) -> Seen:
    """What `look` saw when it held; AssertionError with the last sight after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if holds(seen):
            return seen
        assert time.monotonic() < deadline, f"still so after {seconds:g} s: {seen!r}"
        time.sleep(0.05)


async def until_async(
    look: Callable[[], Seen], holds: Callable[[Seen], bool], *, seconds: float = 90.0
) -> Seen:
    """As `until`, for what happens on this event loop."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if holds(seen):
            return seen
        assert time.monotonic() < deadline, f"still so after {seconds:g} s: {seen!r}"
        await asyncio.sleep(0.05)
