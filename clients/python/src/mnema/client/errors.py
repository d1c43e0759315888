"""What a call raises when it fails.

MnemaError
├── InvalidArgument       a field of the call is wrong; `violations` name it
├── Unauthenticated       no API key, or one that is unknown, revoked or expired
├── PermissionDenied      the API key may not do this
├── NotFound              there is no such thing, or it is not yours
├── AlreadyExists         there is one already, or the request id was used for something else
├── FailedPrecondition    right call, wrong state: the session is closed, ...
├── ResourceExhausted     a limit or quota is reached; `retry_after` says when to try again
├── Unavailable           the server, or a part it needs, is down
├── DeadlineExceeded      the call's time ran out; a write may have happened all the same
├── Cancelled             the call was cancelled on its way
├── Unimplemented         the server is older than this client and has no such method
└── InternalError         the server's fault; `metadata["error_id"]` finds it in the server's log

Codes without a class of their own are raised as MnemaError itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc


@dataclass(frozen=True)
class FieldViolation:
    """One field that is wrong."""

    field: str
    """The path of the field in the request, such as "messages[2].content"."""
    description: str
    """What is wrong with it, for people."""
    reason: str = ""
    """What is wrong with it, for machines, such as "FIELD_TOO_LONG"; may be empty."""


@dataclass(frozen=True)
class ErrorDetails:
    """What the server says of a failure besides its code and its message."""

    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[FieldViolation, ...] = ()
    retry_after: float | None = None
    request_id: str = ""


class MnemaError(Exception):
    """A call that failed.

    Attributes:
        code: the gRPC status code.
        message: what went wrong, for people.
        reason: why, for machines: a name of the contract's ErrorReason such as
            "SESSION_CLOSED"; the code's name where the server gave none.
        metadata: the numbers and names that the message speaks of.
        violations: the fields that are wrong; empty unless some are.
        retry_after: seconds to wait before trying again; None if the server named none.
        request_id: names the call in the server's log; may be empty.
    """

    def __init__(
        self, code: grpc.StatusCode, message: str, details: ErrorDetails | None = None
    ) -> None:
        super().__init__(message)
        details = details or ErrorDetails()
        self.code = code
        self.message = message
        self.reason = details.reason or code.name
        self.metadata = dict(details.metadata)
        self.violations = details.violations
        self.retry_after = details.retry_after
        self.request_id = details.request_id

    def __str__(self) -> str:
        """The reason, the message, and each wrong field that the message does not name."""
        text = f"{self.reason}: {self.message}"
        unnamed = [each for each in self.violations if each.field not in self.message]
        return text + "".join(f"\n  {each.field}: {each.description}" for each in unnamed)

    def __reduce__(self) -> tuple[type["MnemaError"], tuple[object, ...]]:
        """Errors cross process borders whole: multiprocessing and task queues pickle them."""
        details = ErrorDetails(
            self.reason, self.metadata, self.violations, self.retry_after, self.request_id
        )
        return type(self), (self.code, self.message, details)


class InvalidArgument(MnemaError):
    """A field of the call is wrong; `violations` name it."""


class Unauthenticated(MnemaError):
    """No API key was sent, or one that is unknown, revoked or expired."""


class PermissionDenied(MnemaError):
    """The API key may not do this."""


class NotFound(MnemaError):
    """There is no such thing, or it is not yours."""


class AlreadyExists(MnemaError):
    """There is such a thing already, or the request id was used for another call."""


class FailedPrecondition(MnemaError):
    """Right call, wrong state: the session is closed, the storage can't do it, ..."""


class ResourceExhausted(MnemaError):
    """A limit or quota is reached; `retry_after` says when to try again."""


class Unavailable(MnemaError):
    """The server, or a part that the call needs, is down."""


class DeadlineExceeded(MnemaError):
    """The call's time ran out. A write may have happened all the same."""


class Cancelled(MnemaError):
    """The call was cancelled on its way."""


class Unimplemented(MnemaError):
    """The server has no such method: it is older than this client."""


class InternalError(MnemaError):
    """The server's fault."""


BY_CODE: Mapping[grpc.StatusCode, type[MnemaError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgument,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.UNIMPLEMENTED: Unimplemented,
    grpc.StatusCode.INTERNAL: InternalError,
    grpc.StatusCode.UNKNOWN: InternalError,
    grpc.StatusCode.DATA_LOSS: InternalError,
}
