"""The shape of an interceptor here: something done around the handler of any of the four kinds."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
MaybeHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Behavior: TypeAlias = Callable[[Any, Any], Any]

_MAX_REMEMBERED = 1024  # methods; unknown ones reach this table too, so it has an end


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call before it starts: "/mnema.v1.X/Method", and its kind."""

    method: str
    streaming: bool


class HandlerInterceptor(grpc.aio.ServerInterceptor, ABC):
    """Replaces handlers by wrapped ones, built once per method, not once per call."""

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    @abstractmethod
    def wrap(self, handler: Handler, method: str) -> Handler:
        """The handler to use in its place."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[MaybeHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> MaybeHandler:
        """For grpc.aio: find the handler and wrap it."""
        handler = await continuation(handler_call_details)
        if handler is None:
            handler = self.missing()
            if handler is None:
                return None
        method = str(handler_call_details.method)
        known = self._wrapped.get(method)
        if known is not None and known[0] is handler:
            return known[1]
        wrapped = self.wrap(handler, method)
        if len(self._wrapped) < _MAX_REMEMBERED:
            self._wrapped[method] = (handler, wrapped)
        return wrapped

    def missing(self) -> MaybeHandler:
        """The handler of methods that no service has; None leaves them to grpc."""
        return None


class AroundInterceptor(HandlerInterceptor):
    """Does something around handlers of all four kinds: one async context manager per call."""

    @abstractmethod
    def around(self, call: Call, context: Context) -> AbstractAsyncContextManager[None]:
        """Entered before the handler, left after its last response or its error."""

    def wrap(self, handler: Handler, method: str) -> Handler:
        """The same handler with `around` around it."""
        call = Call(method, bool(handler.request_streaming or handler.response_streaming))
        inner = behavior_of(handler)
        if handler.response_streaming:

            async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
                async with self.around(call, context):
                    result = inner(request, context)
                    if inspect.isawaitable(result):
                        await result  # it writes its responses to the context
                        return
                    async with aclosing(result) as responses:
                        async for response in responses:
                            yield response

            return rebuilt(handler, stream)

        async def unary(request: Any, context: Any) -> Any:
            async with self.around(call, context):
                return await inner(request, context)

        return rebuilt(handler, unary)


def behavior_of(handler: Handler) -> Behavior:
    """The one function among a handler's four that is set."""
    found = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    if found is None:
        raise TypeError("a method handler without a function")
    return found


def rebuilt(
    handler: Handler,
    behavior: Behavior,
    deserializer: Callable[[bytes], Any] | None = None,
) -> Handler:
    """A handler of the same kind with another function (and deserializer)."""
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[bool(handler.request_streaming), bool(handler.response_streaming)]
    result: Handler = make(
        behavior,
        request_deserializer=deserializer or handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return result
