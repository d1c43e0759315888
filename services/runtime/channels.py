"""Channels to the other services: who is calling and for how long travels along."""

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any, Protocol, Self
from urllib.parse import quote

import grpc
from pydantic import SecretStr

from services.runtime import context, telemetry
from services.runtime.auth import TENANT, USER
from services.runtime.config import ServerSettings
from services.runtime.context import RequestContext, call_timeout
from services.runtime.status import REQUEST_ID

__all__ = ["call_timeout", "open_channel"]

_DEFAULT_SECONDS = 30.0  # of a call made with neither a timeout nor a request around it


class ChannelSettings(Protocol):
    """What a channel needs of the settings."""

    @property
    def internal_key(self) -> SecretStr | None:
        """What this service proves itself with when it works by itself."""

    @property
    def server(self) -> ServerSettings:
        """The size of a message."""


def open_channel(
    address: str, settings: ChannelSettings, stack: AsyncExitStack
) -> "grpc.aio.Channel":
    """A channel to the service at `address` ("host:port"), closed with the stack.

    Connects at the first call. Every call carries the caller's own API key, or, when this
    service works by itself (`context.act_for`), the internal key with tenant and user; the
    request id; the trace; and ends with the current request's deadline at the latest. A
    service that is back after a failure is used within about a second.
    """
    internal = settings.internal_key.get_secret_value() if settings.internal_key else None
    channel = grpc.aio.insecure_channel(
        address,
        options=_options(settings.server.max_message_bytes),
        interceptors=telemetry.client_interceptors(),
    )
    stack.push_async_callback(channel.close, 1.0)
    return _PassingChannel(channel, _Passing(internal))


def _options(max_message_bytes: int) -> list[tuple[str, Any]]:
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1_000),  # what one attempt may take
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.dns_min_time_between_resolutions_ms", 1_000),
        ("grpc.lb_policy_name", "round_robin"),  # all replicas behind a headless name
    ]


class _Passing:
    """What travels along with an outgoing call."""

    def __init__(self, internal_key: str | None) -> None:
        self._internal_key = internal_key

    def __call__(self, given: Iterable[tuple[str, str | bytes]] | None) -> "grpc.aio.Metadata":
        """The metadata of a call: those its caller gave, and what they do not name."""
        sent = list(given or ())
        request = context.current_or_none()
        if request is not None:
            names = {name for name, _ in sent}
            sent += [each for each in self._identity(request) if each[0] not in names]
        return grpc.aio.Metadata(*sent)

    def _identity(self, request: RequestContext) -> list[tuple[str, str]]:
        passed = [(REQUEST_ID, request.request_id)]
        principal = request.principal
        if request.api_key is not None:
            passed.append(("authorization", f"Bearer {request.api_key}"))
        elif self._internal_key is not None:
            passed.append(("authorization", f"Bearer {self._internal_key}"))
            if principal is not None and principal.user_id is not None:
                passed.append((USER, quote(principal.user_id, safe="")))
        if principal is not None and principal.tenant_id is not None:
            passed.append((TENANT, str(principal.tenant_id)))
        return passed


def _limit(timeout: float | None) -> float:
    if timeout is not None:
        return call_timeout(timeout)
    left = context.remaining()
    return _DEFAULT_SECONDS if left is None else left


class _PassingChannel(grpc.aio.Channel):
    """A channel whose calls carry what travels along.

    In place of interceptors: grpc.aio runs those in a task of their own for each call, which
    costs as much again as the call.
    """

    def __init__(self, inner: "grpc.aio.Channel", passing: _Passing) -> None:
        self._inner = inner
        self._passing = passing

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._inner.__aexit__(*error)

    async def close(self, grace: float | None = None) -> None:
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._inner.channel_ready()

    def unary_unary(self, *args: Any, **options: Any) -> Any:
        return _passing_on(self._inner.unary_unary(*args, **options), self._passing)

    def unary_stream(self, *args: Any, **options: Any) -> Any:
        return _passing_on(self._inner.unary_stream(*args, **options), self._passing)

    def stream_unary(self, *args: Any, **options: Any) -> Any:
        return _passing_on(self._inner.stream_unary(*args, **options), self._passing)

    def stream_stream(self, *args: Any, **options: Any) -> Any:
        return _passing_on(self._inner.stream_stream(*args, **options), self._passing)


def _passing_on(method: Callable[..., Any], passing: _Passing) -> Callable[..., Any]:
    """The same method of a stub, with the deadline and the metadata of each call put in."""

    def call(*sent: Any, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
        return method(*sent, timeout=_limit(timeout), metadata=passing(metadata), **options)

    return call
