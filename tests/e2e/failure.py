"""How a call failed, the same whether gRPC or REST carried it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2
from grpc_status import rpc_status

# google/rpc/code.proto says which HTTP status each code has.
HTTP_STATUS: Mapping[str, int] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Code, the one ErrorInfo, and the fields that BadRequest names."""

    code: str
    reason: str
    domain: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    http_status: int | None = None


def failure_of_call(error: grpc.Call) -> Failure:
    """From grpc-status-details-bin; without those the reason is empty."""
    code = error.code().name
    status = rpc_status.from_call(error)
    if status is None:
        return Failure(code, "", "", error.details() or "")
    infos = list(_unpacked(status.details, error_details_pb2.ErrorInfo))
    assert len(infos) == 1, f"{len(infos)} ErrorInfos in {status}"
    requests = _unpacked(status.details, error_details_pb2.BadRequest)
    return Failure(
        code_pb2.Code.Name(status.code),
        infos[0].reason,
        infos[0].domain,
        status.message,
        dict(infos[0].metadata),
        tuple(each.field for request in requests for each in request.field_violations),
    )


def failure_of_answer(answer: httpx.Response) -> Failure:
    """From the JSON body, which must have the form of google.rpc.Status."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/json", answer.headers
    kinds = {each["@type"].rpartition(".")[2]: each for each in body["details"]}
    info: dict[str, Any] = kinds["ErrorInfo"]
    violations = kinds.get("BadRequest", {}).get("field_violations", [])
    return Failure(
        code_pb2.Code.Name(body["code"]),
        info["reason"],
        info["domain"],
        body["message"],
        info.get("metadata", {}),
        tuple(each["field"] for each in violations),
        answer.status_code,
    )


def _unpacked(details: Iterable[Any], kind: type[Message]) -> Iterable[Any]:
    for each in details:
        found = kind()
        if each.Unpack(found):
            yield found
