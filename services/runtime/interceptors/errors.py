"""Errors become gRPC statuses here and nowhere else."""

from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import grpc
import structlog

from services.runtime import context as request_context
from services.runtime.database import connection_lost
from services.runtime.errors import DeadlineExceeded, Internal, MnemaError, Unavailable
from services.runtime.ids import new_id
from services.runtime.interceptors.handlers import Context, Handler
from services.runtime.status import DETAILS, REQUEST_ID, details_of, short

log = structlog.get_logger("mnema.errors")

# What another service says of the caller's request holds for this service's answer too.
_PASSED_ON = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)


class Unimplemented(MnemaError):
    """No service here has this method."""

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNIMPLEMENTED
    default_reason: ClassVar[str] = "UNIMPLEMENTED"


@dataclass(slots=True)
class Answered:
    """What the log line says of a failed call beside its code."""

    reason: str = ""
    error_id: str = ""


async def answer_with(
    context: Context, raised: Exception, method: str, answered: Answered
) -> NoReturn:
    """Ends the call: a MnemaError with its code and details, anything else as our fault.

    Uses `abort` with trailing metadata, not `abort_with_status`: the tracing wrapper sees
    only the first, and would call a failed call a success.
    """
    error = _first(raised)
    if isinstance(error, grpc.aio.AioRpcError) and error.code() in _PASSED_ON:
        passed = _details_from(error)
        if passed is not None:
            answered.reason = "PEER"
            await _end(context, error.code(), error.details() or "", passed)
    answer = _answer(error, method, answered)
    answered.reason = answer.reason
    await _end(context, answer.code, short(answer.message), details_of(answer))


async def _end(context: Context, code: grpc.StatusCode, message: str, details: bytes) -> NoReturn:
    trailers = ((DETAILS, details), (REQUEST_ID, request_context.current().request_id))
    await context.abort(code, message, trailing_metadata=trailers)


def _answer(error: Exception, method: str, answered: Answered) -> MnemaError:
    """The domain error that this one amounts to; logs what nobody foresaw."""
    if isinstance(error, MnemaError) and not isinstance(error, Internal):
        return error
    if isinstance(error, grpc.aio.AioRpcError):
        if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded("a part that this call needs took too long")
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            return Unavailable("a part that this call needs is down", retry_after=1.0)
    if isinstance(error, TimeoutError):
        return Unavailable("a part that this call needs did not answer", retry_after=1.0)
    if connection_lost(error):
        return Unavailable("the database does not answer", retry_after=1.0)
    error_id = str(new_id())
    answered.error_id = error_id
    log.error("unexpected error", method=method, error_id=error_id, exc_info=error)
    return Internal(f"internal error {error_id}", metadata={"error_id": error_id})


def _first(error: Exception) -> Exception:
    """The error to answer with when a task group raised several: a domain error if any."""
    if not isinstance(error, ExceptionGroup):
        return error
    leaves = list(_leaves(error))
    return next((leaf for leaf in leaves if isinstance(leaf, MnemaError)), leaves[0])


def _leaves(group: ExceptionGroup[Exception]) -> list[Exception]:
    found: list[Exception] = []
    for each in group.exceptions:
        found.extend(_leaves(each) if isinstance(each, ExceptionGroup) else [each])
    return found


def _details_from(error: grpc.aio.AioRpcError) -> bytes | None:
    for name, value in error.trailing_metadata() or ():
        if name == DETAILS and isinstance(value, bytes):
            return value
    return None


async def _unknown_method(_: Any, __: Any) -> NoReturn:
    raise Unimplemented("there is no such method")


UNKNOWN_METHOD: Handler = grpc.unary_unary_rpc_method_handler(_unknown_method)
