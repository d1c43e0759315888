"""Channels to the other services: who is calling and for how long travels along."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol
from urllib.parse import quote

import grpc
from pydantic import SecretStr

from services.runtime import context, telemetry
from services.runtime.auth import TENANT, USER
from services.runtime.config import ServerSettings
from services.runtime.context import RequestContext, call_timeout

__all__ = ["call_timeout", "open_channel"]

_DEFAULT_SECONDS = 30.0  # of a call made with neither a timeout nor a request around it
_PROPAGATED = "x-request-id"


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
    passing = _Passing(internal)
    channel = grpc.aio.insecure_channel(
        address,
        options=_options(settings.server.max_message_bytes),
        interceptors=[
            *telemetry.client_interceptors(),
            _UnaryUnary(passing),
            _UnaryStream(passing),
            _StreamUnary(passing),
            _StreamStream(passing),
        ],
    )
    stack.push_async_callback(channel.close, 1.0)
    return channel


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
    """Adds what travels along to the details of an outgoing call."""

    def __init__(self, internal_key: str | None) -> None:
        self._internal_key = internal_key

    def __call__(self, details: "grpc.aio.ClientCallDetails") -> "grpc.aio.ClientCallDetails":
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        given = set(metadata.keys())
        request = context.current_or_none()
        if request is not None:
            for name, value in self._identity(request):
                if name not in given:
                    metadata.add(name, value)
        return grpc.aio.ClientCallDetails(
            details.method,
            _limit(details.timeout),
            metadata,
            details.credentials,
            details.wait_for_ready,
        )

    def _identity(self, request: RequestContext) -> list[tuple[str, str]]:
        passed = [(_PROPAGATED, request.request_id)]
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


class _Interceptor:
    def __init__(self, passing: _Passing) -> None:
        self._passing = passing

    async def _pass_on(
        self, continuation: Callable[..., Any], details: "grpc.aio.ClientCallDetails", sent: Any
    ) -> Any:
        return await continuation(self._passing(details), sent)


# grpc.aio takes an interceptor for one kind of call only, so there are four.
class _UnaryUnary(_Interceptor, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: "grpc.aio.ClientCallDetails",
        request: Any,
    ) -> Any:
        return await self._pass_on(continuation, client_call_details, request)


class _UnaryStream(_Interceptor, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self,
        continuation: Callable[..., Any],
        client_call_details: "grpc.aio.ClientCallDetails",
        request: Any,
    ) -> Any:
        return await self._pass_on(continuation, client_call_details, request)


class _StreamUnary(_Interceptor, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: "grpc.aio.ClientCallDetails",
        request_iterator: Any,
    ) -> Any:
        return await self._pass_on(continuation, client_call_details, request_iterator)


class _StreamStream(_Interceptor, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self,
        continuation: Callable[..., Any],
        client_call_details: "grpc.aio.ClientCallDetails",
        request_iterator: Any,
    ) -> Any:
        return await self._pass_on(continuation, client_call_details, request_iterator)
