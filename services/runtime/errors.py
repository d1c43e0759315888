"""What can go wrong, as classes. One interceptor turns them into gRPC statuses.

MnemaError
├── InvalidArgument        a field is wrong; names each one
├── Unauthenticated        no key, or one that is unknown, revoked or expired
├── PermissionDenied       the key may not do this
├── NotFound               no such resource (or not yours: the answer is the same)
├── AlreadyExists
├── RequestIdReused        a request_id came back with another body
├── FailedPrecondition     right request, wrong state
├── OutOfRange             a cursor older than what is kept
├── ResourceExhausted      a limit or quota; says when to retry
├── Unavailable            a part is down; says when to retry
├── DeadlineExceeded
└── Internal               our fault; details are logged, not sent
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import grpc


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One wrong field: its path in the request ("messages[3].content") and why."""

    field: str
    description: str
    reason: str


class MnemaError(Exception):
    """The base. `reason` is a name of the contract's ErrorReason enum (without prefix)."""

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    default_reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """`metadata` carries every number of the message; `retry_after` is in seconds."""
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after


class InvalidArgument(MnemaError):
    """The request cannot be right, whatever the state of the system."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    default_reason = "INVALID_FIELD"

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        first = violations[0]
        super().__init__(
            "; ".join(
                f"{each.field}: {each.description}" if each.field else each.description
                for each in violations
            ),
            reason=first.reason,
            metadata={"field": first.field},
        )
        self.violations = tuple(violations)


class Unauthenticated(MnemaError):
    """No key, or one that is unknown, revoked or expired."""

    code = grpc.StatusCode.UNAUTHENTICATED
    default_reason = "API_KEY_INVALID"


class PermissionDenied(MnemaError):
    """The key may not make this call."""

    code = grpc.StatusCode.PERMISSION_DENIED
    default_reason = "PERMISSION_DENIED"


class NotFound(MnemaError):
    """There is no such thing, or it is not the caller's: the answer is the same."""

    code = grpc.StatusCode.NOT_FOUND
    default_reason = "RESOURCE_NOT_FOUND"

    def __init__(self, resource_type: str, resource_name: str) -> None:
        """`resource_type` is the contract's noun ("memory", "file", …)."""
        super().__init__(
            f"no {resource_type} {resource_name!r}",
            metadata={"resource_type": resource_type, "resource_name": resource_name},
        )
        self.resource_type = resource_type
        self.resource_name = resource_name


class AlreadyExists(MnemaError):
    """There is such a thing already."""

    code = grpc.StatusCode.ALREADY_EXISTS
    default_reason = "RESOURCE_EXISTS"


class RequestIdReused(MnemaError):
    """The request_id was used before, for a request with another body."""

    code = grpc.StatusCode.ALREADY_EXISTS
    default_reason = "REQUEST_ID_REUSED"


class FailedPrecondition(MnemaError):
    """The request is right, the state is not."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    default_reason = "FAILED_PRECONDITION"


class OutOfRange(MnemaError):
    """Past what is there: a cursor older than what is kept."""

    code = grpc.StatusCode.OUT_OF_RANGE
    default_reason = "CURSOR_EXPIRED"


class ResourceExhausted(MnemaError):
    """A limit or quota is reached."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    default_reason = "LIMIT_EXCEEDED"


class Unavailable(MnemaError):
    """A part that the call needs is down."""

    code = grpc.StatusCode.UNAVAILABLE
    default_reason = "DEPENDENCY_UNAVAILABLE"


class DeadlineExceeded(MnemaError):
    """The call's time ran out."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    default_reason = "DEADLINE_EXCEEDED"


class Internal(MnemaError):
    """Something is wrong on our side."""


def invalid(field: str, description: str, reason: str = "INVALID_FIELD") -> InvalidArgument:
    """The common case: one wrong field."""
    return InvalidArgument([FieldViolation(field, description, reason)])
