"""Many concurrent requests for vectors, one model: who goes next, and together with whom.

The model runs one slice at a time. A slice is bounded by its cost (about its tokens), so
whatever runs, the next one starts after tens of milliseconds at most. Nobody waits for
company: a slice takes what is there when the model falls idle.

- A request that fits in one slice is *small* (a query, one turn). Small requests go first,
  several to a slice.
- Larger ones take turns, slice by slice; a batch of fifty does not wait for ten thousand.
- After `_SMALL_IN_A_ROW` small slices a large one gets its turn, so that neither starves.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from services.providers.embeddings.base import Vectors
from services.runtime.errors import ResourceExhausted, Unavailable

Run = Callable[[Sequence[str]], Vectors]
Cost = Callable[[str], int]

_SMALL_IN_A_ROW = 4


@dataclass(slots=True, eq=False)
class _Request:
    """A caller's texts, the rows that are done, and the promise to the caller."""

    texts: Sequence[str]
    costs: list[int]
    # Indices still to run, the cheapest last: texts of like length run together.
    waiting: list[int]
    rows: Vectors
    done: asyncio.Future[Vectors]
    unfinished: int

    def put(self, index: int, row: Vectors) -> None:
        self.rows[index] = row
        self.unfinished -= 1
        if not self.unfinished and not self.done.done():
            self.done.set_result(self.rows)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class MicroBatcher:
    """Feeds a blocking `run` with slices, in one thread of its own. For one event loop."""

    def __init__(
        self, run: Run, cost: Cost, *, dims: int, slice_cost: int, max_waiting: int
    ) -> None:
        """`max_waiting` texts may queue before further requests are refused."""
        self._run = run
        self._cost = cost
        self._dims = dims
        self._slice_cost = slice_cost
        self._max_waiting = max_waiting
        self._waiting = 0
        self._small: deque[_Request] = deque()
        self._large: deque[_Request] = deque()
        self._small_in_a_row = 0
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedding")
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, texts: Sequence[str]) -> Vectors:
        """The rows of `run` for the texts, in their order.

        Raises ResourceExhausted when too many texts wait, Unavailable after `close`, and
        whatever `run` raised. A cancelled caller's remaining texts are dropped.
        """
        if not texts:
            return np.zeros((0, self._dims), dtype=np.float32)
        self._admit()
        request = self._request(texts)
        small = sum(request.costs) <= self._slice_cost
        (self._small if small else self._large).append(request)
        self._waiting += len(texts)
        if self._worker is None:
            # A context of its own: the work of many callers is not the first one's trace.
            self._worker = asyncio.create_task(self._drain(), context=contextvars.Context())
        return await request.done

    async def close(self) -> None:
        """Refuses what waits, lets the running slice end, ends the thread."""
        self._closed = True
        for request in (*self._small, *self._large):
            request.fail(Unavailable("the embedding model is being closed"))
        if self._worker is not None:
            await self._worker
        self._executor.shutdown()

    def _admit(self) -> None:
        if self._closed:
            raise Unavailable("the embedding model is closed")
        if self._waiting >= self._max_waiting:
            raise ResourceExhausted(
                f"{self._waiting} texts wait for the embedding model, "
                f"at most {self._max_waiting} may",
                metadata={"waiting": str(self._waiting), "limit": str(self._max_waiting)},
                retry_after=1.0,
            )

    def _request(self, texts: Sequence[str]) -> _Request:
        costs = [self._cost(text) for text in texts]
        return _Request(
            texts=texts,
            costs=costs,
            waiting=sorted(range(len(texts)), key=costs.__getitem__, reverse=True),
            rows=np.empty((len(texts), self._dims), dtype=np.float32),
            done=asyncio.get_running_loop().create_future(),
            unfinished=len(texts),
        )

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while share := self._next_slice():
                texts = [request.texts[index] for request, index in share]
                try:
                    rows = await loop.run_in_executor(self._executor, self._run, texts)
                except Exception as error:  # the callers get it, each of them
                    for request, _ in share:
                        request.fail(error)
                else:
                    for (request, index), row in zip(share, rows, strict=True):
                        request.put(index, row)
        finally:
            self._worker = None

    def _next_slice(self) -> list[tuple[_Request, int]]:
        """What runs next; empty when nothing waits."""
        while self._small or self._large:
            share = self._fill(self._next_lane())
            if share:
                return share
        return []

    def _next_lane(self) -> deque[_Request]:
        large_is_due = not self._small or self._small_in_a_row >= _SMALL_IN_A_ROW
        if self._large and large_is_due:
            self._small_in_a_row = 0
            return self._large
        self._small_in_a_row += 1 if self._large else 0
        return self._small

    def _fill(self, lane: deque[_Request]) -> list[tuple[_Request, int]]:
        """Texts from the head of the lane, up to the cost of a slice, at least one.

        Empty when every caller in the lane went away.
        """
        share: list[tuple[_Request, int]] = []
        spent = 0
        while lane:
            request = lane.popleft()
            if request.done.done():
                self._waiting -= len(request.waiting)
                continue
            while request.waiting:
                cost = request.costs[request.waiting[-1]]
                if share and spent + cost > self._slice_cost:
                    # Small requests keep their order, large ones take turns.
                    (lane.append if lane is self._large else lane.appendleft)(request)
                    return share
                share.append((request, request.waiting.pop()))
                spent += cost
                self._waiting -= 1
        return share
