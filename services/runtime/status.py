"""A MnemaError as google.rpc.Status: the details that clients read."""

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from services.runtime.errors import InvalidArgument, MnemaError, NotFound, Unavailable

DETAILS = "grpc-status-details-bin"
REQUEST_ID = "x-request-id"
DOMAIN = "mnema"
_MAX_MESSAGE_BYTES = 1024  # trailers share 8 KiB, and gRPC triples non-ASCII bytes
_MAX_VALUE_CHARACTERS = 256
_MAX_DETAILS_BYTES = 4096


def details_of(error: MnemaError) -> bytes:
    """The value of `grpc-status-details-bin`.

    One ErrorInfo always; BadRequest for wrong fields, RetryInfo when it may be tried again,
    ResourceInfo for what is not there.
    """
    info = error_details_pb2.ErrorInfo(
        reason=error.reason,
        domain=DOMAIN,
        metadata={name: short(value, _MAX_VALUE_CHARACTERS) for name, value in _metadata(error)},
    )
    status = status_pb2.Status(code=error.code.value[0], message=short(error.message))
    status.details.append(_packed(info))
    retry_after = _retry_after(error)
    if retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMicroseconds(int(retry_after * 1_000_000))
        status.details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    if isinstance(error, NotFound):
        resource = error_details_pb2.ResourceInfo(
            resource_type=error.resource_type,
            resource_name=short(error.resource_name, _MAX_VALUE_CHARACTERS),
            description=short(error.message, _MAX_VALUE_CHARACTERS),
        )
        status.details.append(_packed(resource))
    if isinstance(error, InvalidArgument):
        status.details.append(_packed(_bad_request(error, _MAX_DETAILS_BYTES - status.ByteSize())))
    serialized: bytes = status.SerializeToString()
    return serialized


def short(text: str, limit: int = _MAX_MESSAGE_BYTES) -> str:
    """`text` cut to `limit` bytes of UTF-8, without NUL or half characters."""
    encoded = text.replace("\0", "").encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    return encoded[: limit - 3].decode("utf-8", "ignore") + "…"


def _metadata(error: MnemaError) -> list[tuple[str, str]]:
    return sorted(error.metadata.items())[:16]


def _retry_after(error: MnemaError) -> float | None:
    if error.retry_after is None and isinstance(error, Unavailable):
        return 1.0
    return error.retry_after


def _bad_request(error: InvalidArgument, room: int) -> error_details_pb2.BadRequest:
    """As many violations as fit."""
    bad = error_details_pb2.BadRequest()
    for each in error.violations:
        violation = bad.field_violations.add(
            field=short(each.field, _MAX_VALUE_CHARACTERS),
            description=short(each.description, _MAX_VALUE_CHARACTERS),
            reason=each.reason,
        )
        if bad.ByteSize() > room and len(bad.field_violations) > 1:
            bad.field_violations.remove(violation)
            break
    return bad


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
