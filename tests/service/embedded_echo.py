"""A small gRPC service to stand behind the gateway, and clients of each kind in front of it."""

import asyncio
import importlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import httpx
from google.api import httpbody_pb2
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.embedded.envoy import GatewayOptions
from services.embedded.supervisor import Stack
from tests.patience import PATIENCE

SERVICE = "gatewaytest.v1.EchoService"
PROTO = """
syntax = "proto3";
package gatewaytest.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";

enum Mood { MOOD_UNSPECIFIED = 0; MOOD_GOOD = 1; }
message EchoRequest { string user_id = 1; string text_value = 2; int32 number = 3; Mood mood = 4; }
message EchoResponse {
  string user_id = 1; string text_value = 2; int32 number = 3; Mood mood = 4;
  map<string, string> metadata = 5;
}
message CountRequest { int32 up_to = 1; }
message CountResponse { int32 number = 1; }

service EchoService {
  rpc Echo(EchoRequest) returns (EchoResponse) {
    option (google.api.http) = {
      get: "/v1/users/{user_id}/echo"
      additional_bindings { post: "/v1/echo" body: "*" }
      additional_bindings { post: "/v1/users/{user_id}/echo:again" body: "*" }
    };
  }
  rpc Fail(EchoRequest) returns (EchoResponse) {
    option (google.api.http) = { post: "/v1/fail" body: "*" };
  }
  rpc Sleep(EchoRequest) returns (EchoResponse) {
    option (google.api.http) = { post: "/v1/sleep" body: "*" };
  }
  rpc Count(CountRequest) returns (stream CountResponse) {
    option (google.api.http) = { get: "/v1/count/{up_to}" };
  }
  rpc Download(CountRequest) returns (stream google.api.HttpBody) {
    option (google.api.http) = { get: "/v1/download/{up_to}" };
  }
}
"""


def compile_stubs(folder: Path) -> ModuleType:
    """The generated module of PROTO, compiled here and now."""
    (folder / "gateway_echo.proto").write_text(PROTO)
    annotations = Path(importlib.import_module("google.api.annotations_pb2").__file__ or "")
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}"]
    command += [f"-I{annotations.parents[2]}", f"--python_out={folder}", "gateway_echo.proto"]
    subprocess.run(command, check=True, timeout=60)
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("gateway_echo_pb2")
    finally:
        sys.path.remove(str(folder))


class Echo:
    """The service behind the gateway; its server can be stopped and started on one port."""

    def __init__(self, stubs: ModuleType, port: int) -> None:
        self.stubs: Any = stubs
        self.port = port
        self.calls = 0
        self.server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self.server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self.server.add_generic_rpc_handlers((self._handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), self.server)
        names = (SERVICE, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self.server)
        self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self.server.start()

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop(0)
            self.server = None

    def _handlers(self) -> grpc.GenericRpcHandler:
        request, answer = self.stubs.EchoRequest, self.stubs.EchoResponse
        unary = {"Echo": self._echo, "Fail": self._fail, "Sleep": self._sleep}
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                behaviour, request.FromString, answer.SerializeToString
            )
            for name, behaviour in unary.items()
        }
        handlers["Count"] = grpc.unary_stream_rpc_method_handler(
            self._count,
            self.stubs.CountRequest.FromString,
            self.stubs.CountResponse.SerializeToString,
        )
        handlers["Download"] = grpc.unary_stream_rpc_method_handler(
            self._download,
            self.stubs.CountRequest.FromString,
            httpbody_pb2.HttpBody.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    async def _echo(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        self.calls += 1
        sent = {k: v for k, v in context.invocation_metadata() or () if isinstance(v, str)}
        return self.stubs.EchoResponse(
            user_id=request.user_id,
            text_value=request.text_value,
            number=request.number,
            mood=request.mood,
            metadata={key: sent[key] for key in ("x-api-key", "x-request-id") if key in sent},
        )

    async def _fail(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        packed = any_pb2.Any()
        packed.Pack(
            error_details_pb2.ErrorInfo(
                reason="RESOURCE_NOT_FOUND", domain="mnema", metadata={"resource_name": "é/1"}
            )
        )
        status = status_pb2.Status(code=5, message="no memory 'é/1'", details=[packed])
        trailer = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(grpc.StatusCode.NOT_FOUND, status.message, trailer)

    async def _sleep(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        await asyncio.sleep(request.number)
        return self.stubs.EchoResponse()

    async def _count(
        self, request: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        for number in range(request.up_to):
            yield self.stubs.CountResponse(number=number)

    async def _download(
        self, request: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        for number in range(request.up_to):
            yield httpbody_pb2.HttpBody(
                content_type="application/pdf", data=bytes([number]) * 64 * 1024
            )


class Gateway:
    """What a test needs: the service, its port and clients of each kind."""

    def __init__(self, echo: Echo, stack: Stack, port: int, options: GatewayOptions) -> None:
        self.echo, self.stack, self.options = echo, stack, options
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE)
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")

    def unary(self, method: str) -> Callable[..., Any]:
        stubs = self.echo.stubs
        return self.channel.unary_unary(
            f"/{SERVICE}/{method}",
            stubs.EchoRequest.SerializeToString,
            stubs.EchoResponse.FromString,
        )

    async def until(self, status: int, path: str = "/healthz") -> None:
        """Waits until the path answers so."""
        deadline = time.monotonic() + PATIENCE
        while (await self.http.get(path)).status_code != status:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    """Code, message and reason of a REST error, whose form is checked on the way."""
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"code", "message", "details"}
    (info,) = body["details"]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert info["domain"] == "mnema"
    return body["code"], body["message"], info["reason"]


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The ErrorInfo reason a gRPC client sees."""
    (raw,) = [v for k, v in error.trailing_metadata() or () if k == "grpc-status-details-bin"]
    status = status_pb2.Status.FromString(raw if isinstance(raw, bytes) else raw.encode())
    assert status.code == error.code().value[0]
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return str(info.reason)
