# Written by tools/sync_client.py from _async/calls.py: change that file, not this one.
"""How calls are made: one channel, deadlines, retries, pages."""

from __future__ import annotations  # gRPC's classes are generic for type checkers only

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Protocol, TypeVar, cast
from uuid import uuid4

import grpc

from mnema.client._assigned import AssignedSettings
from mnema.client._convert.settings import update_request
from mnema.client._endpoint import Endpoint
from mnema.client._retries import Attempts
from mnema.client._status import error_of
from mnema.client._sync import transport
from mnema.client.errors import DeadlineExceeded, MnemaError, ResourceExhausted, Unavailable
from mnema.v1.account_service_pb2_grpc import AccountServiceStub

PAGE = 500  # items asked for at a time where a caller wants them all

Item = TypeVar("Item")
Request = TypeVar("Request")
Response = TypeVar("Response")
Stub = TypeVar("Stub")


class Repeatable(Protocol):
    """A write that the server does once however often it comes."""

    request_id: str


class Paged(Protocol):
    """A request for a page."""

    page_size: int
    page_token: str


class Page(Protocol):
    """A page."""

    next_page_token: str


Write = TypeVar("Write", bound=Repeatable)
ListRequest = TypeVar("ListRequest", bound=Paged)
ListResponse = TypeVar("ListResponse", bound=Page)


class Connection:
    """One channel to one server, opened by the first call."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.background = transport.Background()
        self.assigned = AssignedSettings()
        self.settling = transport.Lock()
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._stubs: dict[object, object] = {}
        self._closed = False
        self.on_use: Callable[[], None] | None = None

    def stub(self, kind: Callable[[grpc.Channel], Stub]) -> Stub:
        """The stub of a service. Whoever waits for the first use (`on_use`) is told."""
        if self.on_use is not None:
            self.on_use()
        with self._lock:
            if self._closed:
                raise RuntimeError("this client is closed")
            if self._channel is None:
                self._channel = transport.open_channel(self.endpoint)
            if kind not in self._stubs:
                self._stubs[kind] = kind(self._channel)
            return cast(Stub, self._stubs[kind])

    def close(self) -> None:
        """Waits for what runs in the background, then ends the channel. May come twice."""
        self.background.finish()
        with self._lock:
            channel, self._channel, self._closed = self._channel, None, True
            self._stubs.clear()
        if channel is not None:
            transport.close_channel(channel)


class Caller:
    """Makes calls, each within `timeout` seconds, retries and the pauses between included."""

    def __init__(
        self,
        connection: Connection,
        timeout: float,
        retries: int,
        default_user: str | None = None,
    ) -> None:
        self.connection = connection
        self.timeout = timeout
        self.retries = retries
        self.default_user = default_user
        self.metadata = self._metadata = connection.endpoint.metadata

    def with_timeout(self, timeout: float) -> Caller:
        """Makes calls over the same channel with another timeout."""
        return Caller(self.connection, timeout, self.retries, self.default_user)

    def at_least(self, timeout: float) -> Caller:
        """For calls that are slow by nature: never below `timeout` seconds."""
        return self if self.timeout >= timeout else self.with_timeout(timeout)

    def stub(self, kind: Callable[[grpc.Channel], Stub]) -> Stub:
        """The stub of a service."""
        return self.connection.stub(kind)

    def read(
        self, method: grpc.UnaryUnaryMultiCallable[Request, Response], request: Request
    ) -> Response:
        """Makes a call that changes nothing, and so may be repeated."""
        self._send_settings()
        return self._call(method, request, self._attempts())

    def write(
        self, method: grpc.UnaryUnaryMultiCallable[Write, Response], request: Write
    ) -> Response:
        """Makes a call under a request id: one for all attempts, so it happens once."""
        self._send_settings()
        request.request_id = request.request_id or str(uuid4())
        return self._call(method, request, self._attempts())

    def once(
        self, method: grpc.UnaryUnaryMultiCallable[Request, Response], request: Request
    ) -> Response:
        """Makes a call that changes something and has no request id: never repeated."""
        self._send_settings()
        return self._call(method, request, self._attempts(retries=0))

    def pages(
        self,
        method: grpc.UnaryUnaryMultiCallable[ListRequest, ListResponse],
        request: ListRequest,
        limit: int | None = None,
    ) -> Generator[ListResponse]:
        """Page after page; `limit` only tells how many items the caller will take."""
        request.page_size = PAGE if limit is None else min(limit, PAGE)
        while True:
            page = self.read(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def upload(
        self,
        method: grpc.StreamUnaryMultiCallable[Request, Response],
        stream: Callable[[], Generator[Request]],
        repeatable: bool,
    ) -> Response:
        """Sends a stream; `stream` is called for each attempt."""
        self._send_settings()
        attempts = self._attempts(None if repeatable else 0)
        while True:
            try:
                return transport.upload(method, stream(), attempts.remaining(), self._metadata)
            except grpc.RpcError as failure:  # noqa: PERF203 - the loop is the retry
                self._pause(attempts, failure)

    def download(
        self, method: grpc.UnaryStreamMultiCallable[Request, Response], request: Request
    ) -> Generator[Response]:
        """Receives a stream; repeated only while nothing of it has come."""
        self._send_settings()
        attempts = self._attempts()
        while True:
            begun = False
            try:
                stream = transport.download(method, request, attempts.remaining(), self._metadata)
                with closing(stream):
                    for response in stream:
                        begun = True
                        yield response
            except grpc.RpcError as failure:
                if begun:
                    raise error_of(failure) from failure
                self._pause(attempts, failure)
            else:
                return

    def exchange(
        self,
        method: grpc.StreamStreamMultiCallable[Request, Response],
        requests: Generator[Request],
        timeout: float | None,
    ) -> Generator[Response]:
        """Sends and receives streams at once, in `timeout` seconds (None: any); never repeated."""
        self._send_settings()
        answers = transport.exchange(method, requests, timeout, self._metadata)
        try:
            with closing(answers):
                for answer in answers:
                    yield answer
        except grpc.RpcError as failure:
            raise error_of(failure) from failure

    def _send_settings(self) -> None:
        """Sends settings that were assigned, so that the call which follows finds them in effect.

        What the server refuses is raised and forgotten; while it does not answer they wait for
        the next call.
        """
        assigned = self.connection.assigned
        if not assigned.waiting:
            return
        with self.connection.settling:  # calls beside this one wait for them too
            changes, mark = assigned.unsent()
            if not changes:
                return
            request = update_request(changes)
            request.request_id = str(uuid4())
            stub = self.stub(AccountServiceStub)
            try:
                self._call(stub.UpdateSettings, request, self._attempts())
            except (Unavailable, DeadlineExceeded, ResourceExhausted):
                raise
            except MnemaError:
                assigned.settle(mark, refused=True)
                raise
            assigned.settle(mark)

    def _call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        attempts: Attempts,
    ) -> Response:
        while True:
            try:
                return transport.unary(method, request, attempts.remaining(), self._metadata)
            except grpc.RpcError as failure:  # noqa: PERF203 - the loop is the retry
                self._pause(attempts, failure)

    def _pause(self, attempts: Attempts, failure: grpc.RpcError) -> None:
        """Waits until the next attempt, or raises if there is to be none."""
        error = error_of(failure)
        pause = attempts.pause(error)
        if pause is None:
            raise error from failure
        transport.sleep(pause)

    def _attempts(self, retries: int | None = None) -> Attempts:
        allowed = self.retries if retries is None else retries
        return Attempts(time.monotonic() + self.timeout, allowed)


def take(items: Generator[Item], limit: int | None) -> list[Item]:
    """The first `limit` items; all of them with None.

    Raises:
        ValueError: the limit is negative.
    """
    if limit is not None and limit < 0:
        raise ValueError(f"limit is {limit}: it must be 0 or more")
    taken: list[Item] = []
    if limit == 0:
        return taken
    with closing(items):
        for item in items:
            taken.append(item)
            if len(taken) == limit:
                break
    return taken
