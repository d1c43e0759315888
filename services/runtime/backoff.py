"""How long to wait before what failed is tried again."""

import random

LONGEST_DELAY_SECONDS = 600.0


def delay_of(attempts: int, first_seconds: float, retry_after: float | None = None) -> float:
    """Seconds before the next attempt, after `attempts` that failed.

    Doubles with each, up to 10 minutes, with a random tenth less so that what failed together
    does not come back together; never less than the `retry_after` that was asked for.
    """
    doubled = min(first_seconds * 2.0 ** min(attempts - 1, 32), LONGEST_DELAY_SECONDS)
    jittered = doubled * random.uniform(0.9, 1.0)  # noqa: S311 - jitter
    return max(jittered, retry_after or 0.0)
