"""A failed gRPC call as a MnemaError: decodes google.rpc.Status from the trailers."""

from collections.abc import Iterable
from typing import cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from mnema.client.errors import BY_CODE, ErrorDetails, FieldViolation, MnemaError

_DETAILS = "grpc-status-details-bin"
_REQUEST_ID = "x-request-id"


def error_of(failure: grpc.RpcError) -> MnemaError:
    """The error that the caller sees."""
    code = failure.code()
    trailers = cast("Iterable[tuple[str, str | bytes]]", failure.trailing_metadata() or ())
    details = _details(trailers)
    message = failure.details() or code.name.lower().replace("_", " ")
    return BY_CODE.get(code, MnemaError)(code, message, details)


def _details(trailers: Iterable[tuple[str, str | bytes]]) -> ErrorDetails:
    request_id = ""
    status = status_pb2.Status()
    for name, value in trailers:
        if name == _REQUEST_ID:
            request_id = value if isinstance(value, str) else value.decode("ascii", "replace")
        elif name == _DETAILS and isinstance(value, bytes):
            status = _parsed(value)
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    retry_after: float | None = None
    for each in status.details:
        each.Unpack(info)
        each.Unpack(bad_request)
        if each.Unpack(retry):
            retry_after = retry.retry_delay.ToMicroseconds() / 1_000_000
    return ErrorDetails(
        reason=info.reason,
        metadata=dict(info.metadata),
        violations=tuple(
            FieldViolation(each.field, each.description, each.reason)
            for each in bad_request.field_violations
        ),
        retry_after=retry_after,
        request_id=request_id,
    )


def _parsed(serialized: bytes) -> status_pb2.Status:
    """Empty if it can't be read: a proxy's broken details must not hide the failure itself."""
    status = status_pb2.Status()
    try:
        status.ParseFromString(serialized)
    except DecodeError:
        return status_pb2.Status()
    return status
