"""What differs between the two clients: gRPC's asyncio side, sleeping, threads, tasks.

Written by hand on both sides: `_sync/transport.py` has the same names.
"""

from __future__ import annotations  # gRPC's classes are generic for type checkers only

import asyncio
import contextlib
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast

import grpc
from grpc import aio

from mnema.client._endpoint import Endpoint

Request = TypeVar("Request")
Response = TypeVar("Response")
Metadata = tuple[tuple[str, str], ...]

Begun = asyncio.Task
"""A call that has begun: awaiting it gives the answer, and nobody has to."""

log = logging.getLogger("mnema.client")

# What gRPC says of a write that failed, until it knows why.
_BROKEN_OFF = "Internal error from Core"
_LOOKS, _LOOK_SECONDS = 50, 0.01

sleep = asyncio.sleep
Lock = asyncio.Lock
in_thread = asyncio.to_thread
"""Runs what blocks (reading and writing files) beside the event loop."""


def open_channel(endpoint: Endpoint) -> grpc.Channel:
    """A channel of grpc.aio, under the type of the other one: stubs are typed alike then."""
    channel = (
        aio.secure_channel(
            endpoint.target,
            grpc.ssl_channel_credentials(endpoint.root_certificates),
            options=endpoint.options,
        )
        if endpoint.secure
        else aio.insecure_channel(endpoint.target, options=endpoint.options)
    )
    return cast(grpc.Channel, channel)


async def close_channel(channel: grpc.Channel) -> None:
    """Ends the channel and the calls that still run on it."""
    await cast(aio.Channel, channel).close()


async def unary(
    method: grpc.UnaryUnaryMultiCallable[Request, Response],
    request: Request,
    timeout: float,
    metadata: Metadata,
) -> Response:
    """One request, one answer."""
    call = cast("aio.UnaryUnaryMultiCallable[Request, Response]", method)
    return await call(request, timeout=timeout, metadata=aio.Metadata(*metadata))


async def upload(
    method: grpc.StreamUnaryMultiCallable[Request, Response],
    requests: AsyncIterator[Request],
    timeout: float,
    metadata: Metadata,
) -> Response:
    """A stream of requests, one answer."""
    call = cast("aio.StreamUnaryMultiCallable[Request, Response]", method)
    sent = call(requests, timeout=timeout, metadata=aio.Metadata(*metadata))
    told = _Told(sent)
    try:
        return await sent
    except aio.AioRpcError as failure:
        if failure.details() != _BROKEN_OFF:
            raise
        raise await told.instead_of(failure) from None


class _Told:
    """What the server says when it ends a call whose requests are still being sent.

    gRPC also sees the write fail, and tells of that in place of the answer: until this comes a
    moment later, or for good if the answer was there first.
    """

    def __init__(
        self, call: aio.StreamUnaryCall[Request, Response] | aio.StreamStreamCall[Request, Response]
    ) -> None:
        self._call = call
        self._first: aio.AioRpcError | None = None
        call.add_done_callback(lambda _: self._note())

    def _note(self) -> None:
        """Keeps what the call has ended with, before anything else can be said of it."""
        try:
            self._status().send(None)
        except StopIteration as known:  # all of it is there: nothing is waited for
            self._first = self._first or known.value

    async def _status(self) -> aio.AioRpcError:
        return aio.AioRpcError(
            await self._call.code(),
            aio.Metadata(),
            await self._call.trailing_metadata(),
            await self._call.details(),
        )

    async def instead_of(self, failure: aio.AioRpcError) -> aio.AioRpcError:
        """The answer, or the failure if there is none."""
        told = self._first
        for _ in range(_LOOKS):
            if told is not None and told.details() != _BROKEN_OFF:
                return told
            await asyncio.sleep(_LOOK_SECONDS)
            told = await self._status()
        return failure


async def download(
    method: grpc.UnaryStreamMultiCallable[Request, Response],
    request: Request,
    timeout: float | None,
    metadata: Metadata,
) -> AsyncGenerator[Response]:
    """One request, a stream of answers; a reader who stops early ends it. None: no deadline."""
    call = cast("aio.UnaryStreamMultiCallable[Request, Response]", method)
    answers = call(request, timeout=timeout, metadata=aio.Metadata(*metadata))
    try:
        async for answer in answers:
            yield answer
    finally:
        answers.cancel()


async def exchange(
    method: grpc.StreamStreamMultiCallable[Request, Response],
    requests: AsyncIterator[Request],
    timeout: float | None,
    metadata: Metadata,
) -> AsyncGenerator[Response]:
    """Streams both ways; a reader who stops early ends the call. None: no deadline."""
    call = cast("aio.StreamStreamMultiCallable[Request, Response]", method)
    answers = call(requests, timeout=timeout, metadata=aio.Metadata(*metadata))
    told = _Told(answers)
    try:
        async for answer in answers:
            yield answer
    except aio.AioRpcError as failure:
        if failure.details() != _BROKEN_OFF:
            raise
        raise await told.instead_of(failure) from None
    finally:
        answers.cancel()


class Background:
    """Calls that nobody has to wait for. They run as tasks; what fails is logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(
        self, work: Callable[[], Coroutine[Any, Any, Response]], name: str
    ) -> Begun[Response]:
        """Begins `work`, for whoever wants its answer; a failure is logged besides."""

        def ended(task: asyncio.Task[Response]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (failure := task.exception()):
                log.warning("%s failed: %s", name, failure)

        task = asyncio.get_running_loop().create_task(work(), name=name)
        self._tasks.add(task)
        task.add_done_callback(ended)
        return task

    async def finish(self) -> None:
        """Waits for what still runs; each call has its own deadline."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Loop:
    """Work that goes on in a task until it is stopped; what fails is logged."""

    def __init__(self, work: Callable[[], Awaitable[object]], name: str) -> None:
        self._work = work
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self.stopping = False

    def start(self) -> None:
        """Begins, unless it runs; without an event loop not yet."""
        if self.stopping or (self._task is not None and not self._task.done()):
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._begun.clear()
        self._task = loop.create_task(self._run(), name=self._name)

    def has_begun(self) -> None:
        """For the work itself: it is under way."""
        self._begun.set()

    async def wait_begun(self, seconds: float) -> None:
        """Until the work is under way, or has ended; at most so long."""
        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(self._begun.wait(), seconds)

    async def stop(self) -> None:
        """Ends the work for good."""
        self.stopping = True
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def join(self) -> None:
        """The work has ended with `stop`."""

    async def _run(self) -> None:
        try:
            await _logged(self._work, self._name)
        finally:
            self._begun.set()


async def settle(result: object) -> None:
    """Waits for what a function of the caller's returned, if it is to be awaited."""
    if inspect.isawaitable(result):
        await result


async def _logged(work: Callable[[], Awaitable[object]], name: str) -> None:
    try:
        await work()
    except Exception:  # the root of the task: nobody above could see it
        log.exception("%s failed", name)
