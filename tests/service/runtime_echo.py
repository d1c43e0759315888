"""A small service with all kinds of call, and its server, for tests of the bootstrap."""

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from grpc_tools import protoc
from pydantic import SecretStr

from services.runtime import context
from services.runtime.auth import generate_key
from services.runtime.channels import open_channel
from services.runtime.config import RuntimeSettings, ServerSettings
from services.runtime.context import Principal
from services.runtime.errors import NotFound, Unauthenticated, invalid
from services.runtime.ids import TenantId
from services.runtime.server import Server, Service, Servicers, new_server
from tests.patience import PATIENCE

PROTO = """
syntax = "proto3";
package bootstrap.v1;
import "google/api/field_behavior.proto";
service EchoService {
  rpc Say(SayRequest) returns (SayResponse);
  rpc Count(SayRequest) returns (stream SayResponse);
  rpc Collect(stream SayRequest) returns (SayResponse);
  rpc Chat(stream SayRequest) returns (stream SayResponse);
}
message SayRequest {
  string user_id = 1 [(google.api.field_behavior) = REQUIRED];
  string query = 2;
}
message SayResponse { string text = 1; }
"""
INTERNAL = "internal-key-of-at-least-32-characters"
TENANT = TenantId(uuid4())
KINDS = ("Say", "Count", "Collect", "Chat")


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The compiled test proto: its messages and its grpc module."""
    folder = tmp_path_factory.mktemp("stubs")
    (folder / "bootstrap_echo.proto").write_text(PROTO)
    includes = [Path(p, "google/api").parent.parent for p in sys.path]
    google = next(str(p) for p in includes if (p / "google/api/field_behavior.proto").exists())
    well_known = str(Path(protoc.__file__).parent / "_proto")
    failed = protoc.main(
        ["", f"-I{folder}", f"-I{google}", f"-I{well_known}", f"--python_out={folder}",
         f"--grpc_python_out={folder}", "bootstrap_echo.proto"]
    )  # fmt: skip
    assert not failed
    sys.path.insert(0, str(folder))
    try:
        yield (
            importlib.import_module("bootstrap_echo_pb2"),
            importlib.import_module("bootstrap_echo_pb2_grpc"),
        )
    finally:
        sys.path.remove(str(folder))


class Echo:
    """Does what the query says; every kind of call goes through `answer`."""

    def __init__(self, messages: Any) -> None:
        self.messages = messages
        self.seen: list[context.RequestContext] = []
        self.peer: Any = None

    async def answer(self, request: Any) -> Any:
        self.seen.append(context.current())
        match request.query:
            case "missing":
                raise NotFound("memory", "m1")
            case "wrong":
                raise invalid("query", "is wrong")
            case "bug":
                raise ValueError("secret internals")
            case "group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._fail())
            case "lost":
                raise asyncpg.ConnectionDoesNotExistError("gone")
            case "slow":
                await asyncio.sleep(600)
            case "pass on":
                return await self.peer.Say(
                    self.messages.SayRequest(user_id=request.user_id, query="missing")
                )
            case "owner":
                owner = context.require_user(request.user_id)
                return self.messages.SayResponse(text=str(owner))
        return self.messages.SayResponse(text=request.query)

    async def _fail(self) -> None:
        raise NotFound("memory", "m2")

    async def Say(self, request: Any, _: Any) -> Any:
        return await self.answer(request)

    async def Count(self, request: Any, _: Any) -> AsyncIterator[Any]:
        for _i in range(3):
            yield await self.answer(request)

    async def Collect(self, requests: AsyncIterator[Any], _: Any) -> Any:
        texts = [(await self.answer(request)).text async for request in requests]
        return self.messages.SayResponse(text=",".join(texts))

    async def Chat(self, requests: AsyncIterator[Any], _: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield await self.answer(request)


@dataclass
class Keys:
    """Two known keys and one that was revoked; counts how often it is asked."""

    tenant: str = field(default_factory=lambda: generate_key("tenant"))
    user: str = field(default_factory=lambda: generate_key("user"))
    admin: str = field(default_factory=lambda: generate_key("admin"))
    revoked: str = field(default_factory=lambda: generate_key("tenant"))
    asked: int = 0

    async def authenticate(self, key: str) -> Principal:
        self.asked += 1
        await asyncio.sleep(0)
        if key == self.tenant:
            return Principal("tenant", TENANT, None, uuid4())
        if key == self.user:
            return Principal("user", TENANT, "caroline", uuid4())
        if key == self.admin:
            return Principal("admin", None, None, uuid4())
        reason = "API_KEY_REVOKED" if key == self.revoked else "API_KEY_INVALID"
        raise Unauthenticated("no", reason=reason)


@dataclass
class Running:
    """A started server, and a plain channel to it."""

    server: Server
    keys: Keys
    echo: Echo
    channel: "grpc.aio.Channel"
    stub: Any
    messages: Any
    settings: RuntimeSettings

    def request(self, query: str = "hello", user: str = "caroline") -> Any:
        return self.messages.SayRequest(user_id=user, query=query)

    async def call(self, kind: str, request: Any, **options: Any) -> list[str]:
        """The texts that any of the four kinds answers; the tenant's key unless told."""
        options.setdefault("metadata", [("x-api-key", self.keys.tenant)])
        options.setdefault("timeout", PATIENCE)
        sent = iter([request]) if kind in ("Collect", "Chat") else request
        made = getattr(self.stub, kind)(sent, **options)
        if kind in ("Say", "Collect"):
            return [(await made).text]
        return [response.text async for response in made]


def settings_of(**server: Any) -> RuntimeSettings:
    return RuntimeSettings(
        internal_key=SecretStr(INTERNAL), server=ServerSettings(port=0, **server)
    )


def servicers_of(stubs: Any, keys: Keys | None, echo: Echo) -> Servicers:
    service = Service("bootstrap.v1.EchoService", echo, stubs[1].add_EchoServiceServicer_to_server)
    return Servicers(services=(service,), authenticator=keys)


@pytest.fixture
async def running(stubs: Any) -> AsyncIterator[Running]:
    settings = settings_of(default_deadline_seconds=700)
    keys, echo = Keys(), Echo(stubs[0])
    server = await new_server(
        servicers_of(stubs, keys, echo), settings, reflected=["mnema.v1.IngestService"]
    )
    await server.start()
    async with (
        AsyncExitStack() as stack,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        echo.peer = stubs[1].EchoServiceStub(
            open_channel(f"127.0.0.1:{server.port}", settings, stack)
        )
        stub = stubs[1].EchoServiceStub(channel)
        yield Running(server, keys, echo, channel, stub, stubs[0], settings)
        await server.stop(drain_seconds=0)


def details(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    """The details of a failed call by the name of their type."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an aio error has both methods
    assert status is not None
    found = {}
    for packed in status.details:
        kind = getattr(error_details_pb2, packed.type_url.rsplit(".", 1)[-1])()
        packed.Unpack(kind)
        found[type(kind).__name__] = kind
    return found


async def failure(made: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await made
    error: grpc.aio.AioRpcError = caught.value
    return error
