"""Timing calls: many clients, each asking again as soon as it has its answer."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import grpc
import numpy as np

Call = Callable[[bytes], Awaitable[bytes]]
"""One call: the serialised request in, the serialised answer out."""

NO_LIMIT = float("inf")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one series of calls took.

    `milliseconds` has one entry a call that was answered, `seconds` is from the first
    request to the last answer, `failures` counts the others by status code.
    """

    milliseconds: tuple[float, ...]
    seconds: float
    failures: dict[str, int] = field(default_factory=dict)
    answers: tuple[bytes, ...] = ()

    @property
    def per_second(self) -> float:
        """Answered calls a second."""
        return len(self.milliseconds) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """The latency in milliseconds that `share` (0..100) of the calls kept; NaN of none."""
        return percentile(self.milliseconds, share)

    def figures(self) -> dict[str, object]:
        """For the JSON file."""
        return {
            "calls": len(self.milliseconds),
            "per_second": self.per_second,
            "p50_ms": self.percentile(50),
            "p95_ms": self.percentile(95),
            "p99_ms": self.percentile(99),
            "failures": self.failures,
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0..100) of them do not exceed, interpolated; NaN of none."""
    return float(np.percentile(np.asarray(values), share)) if values else float("nan")


async def closed_loop(
    call: Call,
    requests: Iterable[bytes],
    *,
    clients: int = 1,
    most_seconds: float = NO_LIMIT,
    stop: asyncio.Event | None = None,
    answered: Callable[[], None] | None = None,
) -> Measured:
    """Sends the requests, `clients` at a time, until they, the time or `stop` end it.

    Nothing is decoded while the clock runs: the client shares the machine's cores with what
    it measures. A call that fails counts by its code and has no latency.
    """
    waiting = iter(requests)
    milliseconds: list[float] = []
    answers: list[bytes] = []
    failures: Counter[str] = Counter()
    began = time.perf_counter()
    until = began + most_seconds

    async def client() -> None:
        for request in waiting:
            sent = time.perf_counter()
            if sent > until or (stop is not None and stop.is_set()):
                return
            try:
                answer = await call(request)
            except grpc.aio.AioRpcError as error:
                failures[error.code().name] += 1
                continue
            milliseconds.append((time.perf_counter() - sent) * 1000)
            answers.append(answer)
            if answered is not None:
                answered()

    await asyncio.gather(*(client() for _ in range(clients)))
    seconds = time.perf_counter() - began
    return Measured(tuple(milliseconds), seconds, dict(failures), tuple(answers))
