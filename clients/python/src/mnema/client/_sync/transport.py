"""What differs between the two clients: gRPC's blocking side, sleeping, threads.

Written by hand on both sides: `_async/transport.py` has the same names.
"""

from __future__ import annotations  # gRPC's classes are generic for type checkers only

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import Annotated, ParamSpec, TypeVar

import grpc

from mnema.client._endpoint import Endpoint

Request = TypeVar("Request")
Response = TypeVar("Response")
Parameters = ParamSpec("Parameters")
Metadata = tuple[tuple[str, str], ...]

Begun = Annotated[Response, "had at once"]
"""The answer of a call that the other side only begins."""

log = logging.getLogger("mnema.client")

sleep = time.sleep
Lock = threading.Lock


def in_thread(
    function: Callable[Parameters, Response],
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Response:
    """Runs what blocks right here: this side blocks anyway."""
    return function(*args, **kwargs)


def open_channel(endpoint: Endpoint) -> grpc.Channel:
    """A channel; safe to use from many threads."""
    if endpoint.secure:
        credentials = grpc.ssl_channel_credentials(endpoint.root_certificates)
        return grpc.secure_channel(endpoint.target, credentials, options=endpoint.options)
    return grpc.insecure_channel(endpoint.target, options=endpoint.options)


def close_channel(channel: grpc.Channel) -> None:
    """Ends the channel and the calls that still run on it."""
    channel.close()


def unary(
    method: grpc.UnaryUnaryMultiCallable[Request, Response],
    request: Request,
    timeout: float,
    metadata: Metadata,
) -> Response:
    """One request, one answer."""
    return method(request, timeout=timeout, metadata=metadata)


def upload(
    method: grpc.StreamUnaryMultiCallable[Request, Response],
    requests: Iterator[Request],
    timeout: float,
    metadata: Metadata,
) -> Response:
    """A stream of requests, one answer."""
    return method(requests, timeout=timeout, metadata=metadata)


def download(
    method: grpc.UnaryStreamMultiCallable[Request, Response],
    request: Request,
    timeout: float | None,
    metadata: Metadata,
) -> Generator[Response]:
    """One request, a stream of answers; a reader who stops early ends it. None: no deadline."""
    answers = method(request, timeout=timeout, metadata=metadata)
    try:
        yield from answers
    finally:
        answers.cancel()


def exchange(
    method: grpc.StreamStreamMultiCallable[Request, Response],
    requests: Iterator[Request],
    timeout: float | None,
    metadata: Metadata,
) -> Generator[Response]:
    """Streams both ways; a reader who stops early ends the call. None: no deadline.

    The requests are drawn in a thread of gRPC's.
    """
    answers = method(requests, timeout=timeout, metadata=metadata)
    try:
        yield from answers
    finally:
        answers.cancel()


class Background:
    """Calls that the other side only begins: here they are made at once."""

    def begin(self, work: Callable[[], Response], name: str) -> Begun[Response]:  # noqa: ARG002
        """Makes the call right here: this side blocks anyway."""
        return work()

    def finish(self) -> None:
        """Nothing runs any more."""


class Loop:
    """Work that goes on in a thread until it is stopped; what fails is logged."""

    def __init__(self, work: Callable[[], object], name: str) -> None:
        self._work = work
        self._name = name
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._begun = threading.Event()
        self.stopping = False

    def start(self) -> None:
        """Begins, unless it runs."""
        with self._lock:
            if self.stopping or (self._thread is not None and self._thread.is_alive()):
                return
            self._begun.clear()
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def has_begun(self) -> None:
        """For the work itself: it is under way."""
        self._begun.set()

    def wait_begun(self, seconds: float) -> None:
        """Until the work is under way, or has ended; at most so long."""
        self._begun.wait(seconds)

    def stop(self) -> None:
        """Ends the work for good: what it waits for ends with the channel."""
        self.stopping = True

    def join(self) -> None:
        """Waits a moment for the end; the rest of a pause is not waited for."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def _run(self) -> None:
        try:
            self._work()
        except Exception:  # the root of the thread: nobody above could see it
            if not self.stopping:
                log.exception("%s failed", self._name)
        finally:
            self._begun.set()


def settle(result: object) -> None:
    """Waits for what a function of the caller's returned, if it is to be awaited."""
    if inspect.isawaitable(result):
        asyncio.run(_awaited(result))


async def _awaited(result: Awaitable[object]) -> None:
    await result


def _logged(work: Callable[[], object], name: str) -> None:
    try:
        work()
    except Exception:  # the root of the thread: nobody above could see it
        log.exception("%s failed", name)
