"""When a failed call is tried again, and after how long."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mnema.client.errors import (
    DeadlineExceeded,
    InternalError,
    MnemaError,
    ResourceExhausted,
    Unavailable,
)

FIRST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 5.0


@dataclass
class Attempts:
    """The attempts of one call: at most `retries` after the first, all within its deadline.

    Only what is safe to repeat may be counted here: reads, and writes with a request id.
    """

    deadline: float
    """On the monotonic clock, in seconds."""
    retries: int
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = field(default=random.random)
    made: int = 0

    def remaining(self) -> float:
        """Seconds until the deadline; never below 0."""
        return max(0.0, self.deadline - self.clock())

    def pause(self, error: MnemaError) -> float | None:
        """Seconds to wait before the next attempt; None if the error is to be raised.

        The server's own RetryInfo is the least; without one pauses double from 0.1 s to 5 s. A
        random share is added (or taken away) so that callers who failed together don't return
        together.
        """
        if self.made >= self.retries or not _passing(error):
            return None
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self.made)
        pause = longest * (0.5 + 0.5 * self.chance())
        if error.retry_after is not None:
            pause = error.retry_after + FIRST_PAUSE * self.chance()
        if pause >= self.remaining():
            return None
        self.made += 1
        return pause


def may_pass(error: MnemaError) -> bool:
    """Whether somebody who has all the time there is should try again.

    Not with a wrong key, nor on a server without the method; a cursor that has expired is
    left behind.
    """
    return isinstance(error, ResourceExhausted | InternalError) or error.reason == "CURSOR_EXPIRED"


class Pauses:
    """The pauses of a stream that is begun again and again, as long as that may help."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._failed = 0

    def begin(self) -> None:
        """It works: the next pause is a short one."""
        self._failed = 0

    def after(self, error: MnemaError) -> float | None:
        """Seconds to wait; None if the error is to be raised."""
        if not _broken(error):
            return None
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failed, 10))
        self._failed += 1
        return max(error.retry_after or 0.0, longest * (0.5 + 0.5 * self._chance()))


def _broken(error: MnemaError) -> bool:
    """Whether a stream ended because the server, or the way to it, did."""
    if isinstance(error, InternalError):
        return "error_id" not in error.metadata  # a gateway's, whose server is gone
    return isinstance(error, Unavailable | DeadlineExceeded)


def _passing(error: MnemaError) -> bool:
    """Whether it may go away by itself."""
    if isinstance(error, ResourceExhausted):
        return error.retry_after is not None  # without it: too large, which stays too large
    return isinstance(error, Unavailable)
