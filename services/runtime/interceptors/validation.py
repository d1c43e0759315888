"""Requests are checked before their handler sees them, each message of a stream too."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from google.protobuf.message import DecodeError, Message

from services.runtime.errors import FieldViolation, InvalidArgument
from services.runtime.interceptors.handlers import Handler
from services.runtime.validation import validate


class _Malformed:
    """Stands for bytes that are no message: an error raised while reading them would be
    grpc's to answer, as INTERNAL."""


_MALFORMED = _Malformed()


def checks_of(handler: Handler, method: str) -> Callable[[Any], Any]:
    """What a call's request, or stream of them, goes through before its handler.

    InvalidArgument for wrong fields, and (MALFORMED_REQUEST) for bytes that are no message.
    grpc's own services are left as they are.
    """
    if not _is_checked(handler, method):
        return _unchecked
    return _checked if handler.request_streaming else _check


def reader_of(handler: Handler, method: str) -> Callable[[bytes], Any] | None:
    """The deserializer to use: one that leaves bytes which are no message to the checks."""
    read = handler.request_deserializer
    return _tolerant(read) if read is not None and _is_checked(handler, method) else read


def _is_checked(handler: Handler, method: str) -> bool:
    return handler.request_deserializer is not None and not method.startswith("/grpc.")


def _unchecked(request: Any) -> Any:
    return request


def _check(request: Message | _Malformed) -> Message:
    if isinstance(request, _Malformed):
        raise InvalidArgument(
            [FieldViolation("", "the bytes are no message of this type", "MALFORMED_REQUEST")]
        )
    validate(request)
    return request


async def _checked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _check(request)


def _tolerant(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        try:
            return deserializer(data)
        except (DecodeError, UnicodeDecodeError):
            return _MALFORMED

    return read
