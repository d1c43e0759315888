"""Many concurrent requests for vectors, one model: who goes next, and together with whom.

There are two lanes, each with threads of its own:

- *Queries*: single texts that somebody waits for. One thread runs them as they come; what
  comes meanwhile runs together next. They never wait for a batch.
- *Batches*: run in slices, in threads that the kernel lets go last. A slice is bounded by its
  cost (about its tokens); batches take turns slice by slice, so that one of fifty texts does
  not wait for ten thousand.

Nobody waits for company: a slice takes what is there when a thread falls idle.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np

from services.providers.embeddings.base import Vector, Vectors
from services.runtime.errors import ResourceExhausted, Unavailable
from services.runtime.priority import lower_thread

Run = Callable[[Sequence[str]], Vectors]
Cost = Callable[[str], int]

_BATCH_NICENESS = 10


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


class _Lane:
    """Requests that take turns, and the threads that run slices of them."""

    def __init__(
        self, run: Run, *, threads: int, niceness: int, slice_cost: int, max_waiting: int
    ) -> None:
        self._run = run
        self._most = threads
        self._threads = ThreadPoolExecutor(
            threads, "embedding", initializer=lower_thread, initargs=(niceness,)
        )
        self._slice_cost = slice_cost
        self._max_waiting = max_waiting
        self._requests: deque[_Request] = deque()
        self._waiting = 0
        self._workers: set[asyncio.Task[None]] = set()

    def add(self, request: _Request) -> None:
        """Takes a request in; ResourceExhausted when too many texts wait."""
        if self._waiting >= self._max_waiting:
            raise ResourceExhausted(
                f"{self._waiting} texts wait for the embedding model, "
                f"at most {self._max_waiting} may",
                metadata={"waiting": str(self._waiting), "limit": str(self._max_waiting)},
                retry_after=1.0,
            )
        self._requests.append(request)
        self._waiting += len(request.texts)
        for _ in range(min(self._most - len(self._workers), len(request.texts))):
            # A context of its own: the work of many callers is not the first one's trace.
            worker = asyncio.create_task(self._work(), context=contextvars.Context())
            self._workers.add(worker)

    async def close(self) -> None:
        """Refuses what waits, lets the running slices end, ends the threads."""
        for request in self._requests:
            request.fail(Unavailable("the embedding model is being closed"))
        if self._workers:
            await asyncio.wait(self._workers)
        self._threads.shutdown()

    async def _work(self) -> None:
        """Drains the lane. Leaves the workers in the step that finds nothing more to do.

        Were it a moment later, whoever was answered last and asks again would be taken for
        someone that this worker still sees to.
        """
        try:
            await self._drain()
        finally:
            self._workers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while share := self._next_slice():
            texts = [request.texts[index] for request, index in share]
            try:
                rows = await loop.run_in_executor(self._threads, self._run, texts)
            except Exception as error:  # the callers get it, each of them
                for request, _ in share:
                    request.fail(error)
            else:
                for (request, index), row in zip(share, rows, strict=True):
                    request.put(index, row)

    def _next_slice(self) -> list[tuple[_Request, int]]:
        """Texts from the head of the lane, up to the cost of a slice, at least one.

        Empty when nothing waits, or every caller in the lane went away.
        """
        share: list[tuple[_Request, int]] = []
        spent = 0
        while self._requests:
            request = self._requests.popleft()
            if request.done.done():
                self._waiting -= len(request.waiting)
                continue
            while request.waiting:
                cost = request.costs[request.waiting[-1]]
                if share and spent + cost > self._slice_cost:
                    self._requests.append(request)
                    return share
                share.append((request, request.waiting.pop()))
                spent += cost
                self._waiting -= 1
        return share


class MicroBatcher:
    """Feeds a blocking `run` with slices, in threads of its own. For one event loop."""

    def __init__(
        self,
        run: Run,
        cost: Cost,
        *,
        dims: int,
        slice_cost: int,
        max_waiting: int,
        batch_threads: int = 1,
    ) -> None:
        """`max_waiting` texts may queue in a lane before further requests are refused.

        `run` is called by up to 1 + `batch_threads` threads at once.
        """
        self._cost = cost
        self._dims = dims
        self._closed = False
        lane = partial(_Lane, run, slice_cost=slice_cost, max_waiting=max_waiting)
        self._queries = lane(threads=1, niceness=0)
        self._batches = lane(threads=batch_threads, niceness=_BATCH_NICENESS)

    async def submit_query(self, text: str) -> Vector:
        """The row of `run` for one text that somebody waits for. Raises as `submit` does."""
        rows = await self._submitted(self._queries, [text])
        row: Vector = rows[0]
        return row

    async def submit(self, texts: Sequence[str]) -> Vectors:
        """The rows of `run` for the texts, in their order.

        Raises ResourceExhausted when too many texts wait, Unavailable after `close`, and
        whatever `run` raised. A cancelled caller's remaining texts are dropped.
        """
        if not texts:
            return np.zeros((0, self._dims), dtype=np.float32)
        return await self._submitted(self._batches, texts)

    async def close(self) -> None:
        """Refuses what waits, lets the running slices end, ends the threads."""
        self._closed = True
        await self._queries.close()
        await self._batches.close()

    async def _submitted(self, lane: _Lane, texts: Sequence[str]) -> Vectors:
        if self._closed:
            raise Unavailable("the embedding model is closed")
        request = self._request(texts)
        lane.add(request)
        return await request.done

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
