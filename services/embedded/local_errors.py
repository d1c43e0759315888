"""What the gateway answers itself, in the form of the services' own errors."""

import base64
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "mnema"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


@dataclass(frozen=True, slots=True)
class LocalError:
    """One kind of answer.

    http_status   the status Envoy chose; None stands for every other one.
    answer_status the status a REST caller gets.
    code          gRPC code in a REST answer's body; `over_grpc` for gRPC callers where it differs.
    reason        name in the contract's ErrorReason, without prefix.
    message       for people; None repeats what Envoy says (a JSON parser's complaint, say).
    """

    http_status: int | None
    answer_status: int
    code: grpc.StatusCode
    reason: str
    message: str
    repeat_envoy: bool = False
    over_grpc: grpc.StatusCode | None = None

    @property
    def grpc_code(self) -> int:
        """The status number for gRPC callers."""
        return _number(self.over_grpc or self.code)

    @property
    def json_format(self) -> dict[str, Any]:
        """The body for REST callers."""
        info = {"@type": _ERROR_INFO, "reason": self.reason, "domain": DOMAIN, "metadata": {}}
        message = "%LOCAL_REPLY_BODY%" if self.repeat_envoy else self.message
        return {"code": _number(self.code), "message": message, "details": [info]}

    @property
    def details_header(self) -> str:
        """The grpc-status-details-bin header for gRPC callers."""
        info = any_pb2.Any()
        info.Pack(error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN))
        status = status_pb2.Status(code=self.grpc_code, message=self.message, details=[info])
        raw = status.SerializeToString(deterministic=True)
        return base64.b64encode(raw).decode().rstrip("=")


def _number(code: grpc.StatusCode) -> int:
    return int(code.value[0])


_CODE = grpc.StatusCode
LOCAL_ERRORS = (
    LocalError(
        400,
        400,
        _CODE.INVALID_ARGUMENT,
        "MALFORMED_REQUEST",
        "the request cannot be read",
        repeat_envoy=True,
    ),
    LocalError(
        404,
        404,
        _CODE.NOT_FOUND,
        "PATH_NOT_FOUND",
        "no such path or method",
        over_grpc=_CODE.UNIMPLEMENTED,
    ),
    LocalError(
        408, 504, _CODE.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "the call took longer than allowed"
    ),
    LocalError(
        413, 413, _CODE.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE", "the request body is too large"
    ),
    LocalError(429, 429, _CODE.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED", "too many requests"),
    LocalError(
        431, 431, _CODE.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE", "the request headers are too large"
    ),
    LocalError(
        502, 503, _CODE.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "the service cannot be reached"
    ),
    LocalError(
        503, 503, _CODE.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "the service cannot be reached"
    ),
    LocalError(
        504, 504, _CODE.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "the call took longer than allowed"
    ),
    LocalError(None, 500, _CODE.INTERNAL, "INTERNAL", "the gateway could not answer"),
)
