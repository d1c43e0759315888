"""Requests are checked before their handler sees them, each message of a stream too."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from google.protobuf.message import DecodeError, Message

from services.runtime.errors import FieldViolation, InvalidArgument
from services.runtime.interceptors.around import (
    Handler,
    HandlerInterceptor,
    behavior_of,
    rebuilt,
)
from services.runtime.validation import validate


class _Malformed:
    """Stands for bytes that are no message: an error raised while reading them would be
    grpc's to answer, as INTERNAL."""


_MALFORMED = _Malformed()


class ValidationInterceptor(HandlerInterceptor):
    """InvalidArgument for wrong fields, and (MALFORMED_REQUEST) for bytes that are no message."""

    def wrap(self, handler: Handler, method: str) -> Handler:
        """The same handler, behind the checks. grpc's own services are left as they are."""
        if handler.request_deserializer is None or method.startswith("/grpc."):
            return handler
        inner = behavior_of(handler)
        deserializer = _tolerant(handler.request_deserializer)

        if handler.request_streaming:

            def with_stream(requests: AsyncIterator[Any], context: Any) -> Any:
                return inner(_checked(requests), context)

            return rebuilt(handler, with_stream, deserializer)

        def with_request(request: Any, context: Any) -> Any:
            _check(request)
            return inner(request, context)

        return rebuilt(handler, with_request, deserializer)


def _check(request: Message | _Malformed) -> None:
    if isinstance(request, _Malformed):
        raise InvalidArgument(
            [FieldViolation("", "the bytes are no message of this type", "MALFORMED_REQUEST")]
        )
    validate(request)


async def _checked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        _check(request)
        yield request


def _tolerant(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        try:
            return deserializer(data)
        except (DecodeError, UnicodeDecodeError):
            return _MALFORMED

    return read
