"""When a failed call is tried again, and after how long."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mnema.client.errors import MnemaError, ResourceExhausted, Unavailable

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


def _passing(error: MnemaError) -> bool:
    """Whether it may go away by itself."""
    if isinstance(error, ResourceExhausted):
        return error.retry_after is not None  # without it: too large, which stays too large
    return isinstance(error, Unavailable)
