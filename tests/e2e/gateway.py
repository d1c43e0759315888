"""The public port of a running system, called the way a stranger's program would."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import grpc
import httpx
from google.protobuf.message import Message

from tests.e2e.contract import Rpc, answer_json, rest_call, rpc
from tests.e2e.failure import Failure, failure_of_answer, failure_of_call

SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant and the key that acts for all of its users."""

    tenant_id: str
    api_key: str


class Gateway:
    """gRPC and REST to one address. `key=None` sends no key at all."""

    def __init__(self, address: str, tenant: Tenant, admin_key: str) -> None:
        self.address = address
        self.tenant = tenant
        self.admin_key = admin_key
        self.channel = grpc.insecure_channel(address)
        self.http = httpx.Client(base_url=f"http://{address}", timeout=SECONDS)

    def close(self) -> None:
        self.channel.close()
        self.http.close()

    def send(self, method: Rpc, requests: Sequence[Message], key: str | None) -> list[Message]:
        """Over gRPC: one request unless the client streams. RpcError when it fails."""
        return list(self.send_bytes(method, [each.SerializeToString() for each in requests], key))

    def send_bytes(
        self, method: Rpc, requests: Iterable[bytes], key: str | None
    ) -> Iterable[Message]:
        """Like `send`, with what was serialised elsewhere, or is no message at all."""
        metadata = () if key is None else (("authorization", f"Bearer {key}"),)
        options: dict[str, Any] = {"metadata": metadata, "timeout": SECONDS}
        parse = method.response.FromString
        if method.client_streaming and method.server_streaming:
            yield from self.channel.stream_stream(method.path, bytes, parse)(
                iter(requests), **options
            )
        elif method.client_streaming:
            yield self.channel.stream_unary(method.path, bytes, parse)(iter(requests), **options)
        elif method.server_streaming:
            yield from self.channel.unary_stream(method.path, bytes, parse)(
                next(iter(requests)), **options
            )
        else:
            yield self.channel.unary_unary(method.path, bytes, parse)(
                next(iter(requests)), **options
            )

    def call(self, name: str, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """A unary RPC by its short name, JSON in and out; with the first tenant's key."""
        method = rpc(name)
        request = method.request_of(fields)
        return answer_json(self.send(method, [request], key or self.tenant.api_key)[0])

    def failure(self, method: Rpc, requests: Sequence[Message], key: str | None) -> Failure | None:
        """How the call fails over gRPC; None if it does not."""
        return self.failure_of_bytes(method, [each.SerializeToString() for each in requests], key)

    def failure_of_bytes(
        self, method: Rpc, requests: Iterable[bytes], key: str | None
    ) -> Failure | None:
        try:
            list(self.send_bytes(method, requests, key))
        except grpc.RpcError as error:
            return failure_of_call(cast(grpc.Call, error))
        return None

    def rest(
        self, method: Rpc, fields: Mapping[str, Any], key: str | None, *, binding: int = 0
    ) -> httpx.Response:
        """Over HTTP; `fields` is the request's JSON, wherever its parts have to go."""
        wanted = rest_call(method.bindings[binding], fields)
        headers = {} if key is None else {"x-api-key": key}
        content = None
        if wanted.body is not None:
            content = json.dumps(wanted.body).encode()
            headers["content-type"] = "application/json"
        return self.http.request(
            wanted.verb, wanted.path, params=wanted.query, content=content, headers=headers
        )

    def rest_failure(
        self, method: Rpc, fields: Mapping[str, Any], key: str | None
    ) -> Failure | None:
        """How the call fails over REST; None if it does not."""
        answer = self.rest(method, fields, key)
        return None if answer.is_success else failure_of_answer(answer)

    def new_tenant(self, name: str) -> Tenant:
        made = self.call("AccountService.CreateTenant", {"name": name}, self.admin_key)
        return Tenant(made["tenant"]["tenant_id"], made["api_key"])

    def new_user_key(self, user_id: str, tenant: Tenant | None = None) -> str:
        """A key that acts for this user alone."""
        wanted = {"kind": "API_KEY_KIND_USER", "user_id": user_id, "name": f"key of {user_id}"}
        key = (tenant or self.tenant).api_key
        return str(self.call("AccountService.CreateApiKey", wanted, key)["secret"])
