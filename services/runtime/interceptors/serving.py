"""Everything around a handler, in one pass.

The order: the call's id, its log line and metrics; errors; its deadline; whose key it carries;
whether its fields are right; then the handler. One interceptor does it all, so that the order
stands in one place.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc

from services.runtime.auth import KeyRing
from services.runtime.config import ServerSettings
from services.runtime.interceptors.authentication import admit, needs_key
from services.runtime.interceptors.errors import UNKNOWN_METHOD
from services.runtime.interceptors.handlers import (
    Behavior,
    Context,
    Handler,
    MaybeHandler,
    behavior_of,
    rebuilt,
)
from services.runtime.interceptors.requests import Call, Request
from services.runtime.interceptors.validation import checks_of, reader_of
from services.runtime.limits import SLOW_METHODS, SLOW_SECONDS
from services.runtime.telemetry import RpcMetrics

_MAX_REMEMBERED = 1024  # methods; unknown ones reach this table too, so it has an end
_UNKNOWN = "unknown"


class ServingInterceptor(grpc.aio.ServerInterceptor):
    """Replaces handlers by wrapped ones, built once per method, not once per call."""

    def __init__(self, metrics: RpcMetrics, settings: ServerSettings, keys: KeyRing) -> None:
        self._metrics = metrics
        self._settings = settings
        self._keys = keys
        self._wrapped: dict[str, tuple[MaybeHandler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[MaybeHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> MaybeHandler:
        """For grpc.aio: find the handler and wrap it."""
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        known = self._wrapped.get(method)
        if known is not None and known[0] is handler:
            return known[1]
        wrapped = self._wrap(handler, method)
        if len(self._wrapped) < _MAX_REMEMBERED:
            self._wrapped[method] = (handler, wrapped)
        return wrapped

    def _wrap(self, found: MaybeHandler, method: str) -> Handler:
        """The handler with all of it around; a method that no service has is an error."""
        handler = found or UNKNOWN_METHOD
        streaming = bool(handler.request_streaming or handler.response_streaming)
        call = Call(method, method if found else _UNKNOWN, self._deadline(method, streaming))
        keys = self._keys if found and needs_key(method) else None
        checked = checks_of(handler, method)
        inner = behavior_of(handler)
        make = self._stream if handler.response_streaming else self._unary
        return rebuilt(handler, make(call, keys, checked, inner), reader_of(handler, method))

    def _deadline(self, method: str, streaming: bool) -> float:
        """The seconds of a call whose client gives none."""
        if streaming:
            return self._settings.stream_deadline_seconds
        return SLOW_SECONDS if method in SLOW_METHODS else self._settings.default_deadline_seconds

    def _unary(
        self, call: Call, keys: KeyRing | None, checked: Callable[[Any], Any], inner: Behavior
    ) -> Behavior:
        metrics = self._metrics

        async def unary(asked: Any, context: Context) -> Any:
            async with Request(call, context, metrics) as request, request.timer:
                if keys is not None:
                    await admit(request, keys)
                return await inner(checked(asked), context)

        return unary

    def _stream(
        self, call: Call, keys: KeyRing | None, checked: Callable[[Any], Any], inner: Behavior
    ) -> Behavior:
        metrics = self._metrics

        async def stream(asked: Any, context: Context) -> AsyncIterator[Any]:
            async with Request(call, context, metrics) as request, request.timer:
                if keys is not None:
                    await admit(request, keys)
                result = inner(checked(asked), context)
                if inspect.isawaitable(result):
                    await result  # it writes its responses to the context
                    return
                async with aclosing(result) as responses:
                    async for response in responses:
                        yield response

        return stream
