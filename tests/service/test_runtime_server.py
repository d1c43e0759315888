"""The server bootstrap over a real channel: what happens around a handler."""

import asyncio
import importlib
import json
from typing import Any
from uuid import UUID

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from services.runtime import context
from services.runtime.auth import generate_key
from services.runtime.config import RuntimeSettings, ServerSettings
from services.runtime.context import Principal
from services.runtime.server import new_server
from tests.patience import PATIENCE
from tests.service.runtime_echo import (
    INTERNAL,
    KINDS,
    TENANT,
    Echo,
    Keys,
    Running,
    details,
    failure,
    running,
    servicers_of,
    settings_of,
    stubs,
)

__all__ = ["running", "stubs"]  # fixtures


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_call_is_answered(running: Running, kind: str) -> None:
    texts = await running.call(kind, running.request("hello"))
    assert texts == ["hello"] * (3 if kind == "Count" else 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_domain_errors_carry_their_details(running: Running, kind: str) -> None:
    error = await failure(running.call(kind, running.request("missing")))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    found = details(error)
    assert (found["ErrorInfo"].reason, found["ErrorInfo"].domain) == ("RESOURCE_NOT_FOUND", "mnema")
    assert found["ResourceInfo"].resource_name == "m1"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_bug_is_hidden_behind_an_error_id_and_logged(running: Running, kind: str) -> None:
    with structlog.testing.capture_logs() as logged:
        error = await failure(running.call(kind, running.request("bug")))
    assert error.code() == grpc.StatusCode.INTERNAL
    assert "secret" not in (error.details() or "")
    error_id = details(error)["ErrorInfo"].metadata["error_id"]
    entry = next(each for each in logged if each.get("error_id") == error_id)
    assert isinstance(entry["exc_info"], ValueError)


@pytest.mark.parametrize("kind", KINDS)
async def test_wrong_fields_are_refused_before_the_handler(running: Running, kind: str) -> None:
    error = await failure(running.call(kind, running.request("x" * 9000, user="")))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    violations = details(error)["BadRequest"].field_violations
    assert {(each.field, each.reason) for each in violations} == {
        ("user_id", "FIELD_REQUIRED"),
        ("query", "FIELD_TOO_LONG"),
    }
    assert running.echo.seen == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe"], ids=["garbage", "utf-8"])
async def test_bytes_that_are_no_message(running: Running, kind: str, data: bytes) -> None:
    name = {"Say": "unary_unary", "Count": "unary_stream"}.get(kind) or (
        "stream_unary" if kind == "Collect" else "stream_stream"
    )
    made = getattr(running.channel, name)(f"/bootstrap.v1.EchoService/{kind}")
    sent = iter([data]) if name.startswith("stream") else data
    call = made(sent, metadata=[("x-api-key", running.keys.tenant)], timeout=PATIENCE)

    async def read() -> None:
        if name.endswith("stream"):
            async for _ in call:
                pass
        else:
            await call

    error = await failure(read())
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)["ErrorInfo"].reason == "MALFORMED_REQUEST"


@pytest.mark.parametrize("kind", KINDS)
async def test_keys_are_needed(running: Running, kind: str) -> None:
    keys = running.keys
    cases = {
        "": "API_KEY_MISSING",
        "nonsense": "API_KEY_INVALID",
        generate_key("user"): "API_KEY_INVALID",
        keys.revoked: "API_KEY_REVOKED",
    }
    for key, reason in cases.items():
        metadata = [("authorization", f"Bearer {key}")] if key else []
        error = await failure(running.call(kind, running.request(), metadata=metadata))
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED
        assert details(error)["ErrorInfo"].reason == reason
    assert running.echo.seen == []


async def test_the_key_decides_whose_memory_is_reached(running: Running) -> None:
    keys = running.keys

    async def owner(key: str, user: str) -> list[str]:
        metadata = [("authorization", f"bearer {key}")]
        return await running.call("Say", running.request("owner", user), metadata=metadata)

    assert await owner(keys.tenant, "caroline") == await owner(keys.user, "caroline")
    assert await owner(keys.tenant, "melanie") != await owner(keys.tenant, "caroline")
    for key, user, reason in (
        (keys.user, "melanie", "USER_NOT_ALLOWED"),
        (keys.admin, "caroline", "TENANT_KEY_REQUIRED"),
        (INTERNAL, "caroline", "TENANT_KEY_REQUIRED"),
    ):
        error = await failure(owner(key, user))
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED
        assert details(error)["ErrorInfo"].reason == reason


async def test_many_calls_with_one_key_ask_once(running: Running) -> None:
    await asyncio.gather(*(running.call("Say", running.request()) for _ in range(30)))
    assert running.keys.asked == 1


async def test_the_request_id_is_taken_or_made_and_sent_back(running: Running) -> None:
    key = ("x-api-key", running.keys.tenant)
    call = running.stub.Say(running.request(), metadata=[key, ("x-request-id", "abc-1")])
    await call
    assert dict(await call.trailing_metadata())["x-request-id"] == "abc-1"
    call = running.stub.Say(running.request("missing"), metadata=[key])
    error = await failure(call)
    assert UUID(str(dict(error.trailing_metadata())["x-request-id"])).version == 7


async def test_one_line_is_logged_per_call(running: Running) -> None:
    with structlog.testing.capture_logs() as logged:
        await running.call("Say", running.request("hello"))
        await failure(running.call("Count", running.request("missing")))
        await running.server.stop(drain_seconds=PATIENCE)  # the line comes after the answer
    lines = [each for each in logged if each["event"] == "rpc"]
    assert [(each["method"], each["code"]) for each in lines] == [
        ("/bootstrap.v1.EchoService/Say", "OK"),
        ("/bootstrap.v1.EchoService/Count", "NOT_FOUND"),
    ]
    assert lines[1]["reason"] == "RESOURCE_NOT_FOUND"
    assert lines[0]["tenant_id"] == str(TENANT)
    assert running.keys.tenant not in json.dumps(logged, default=str)


async def test_a_call_without_deadline_gets_the_default(running: Running) -> None:
    metadata = [("x-api-key", running.keys.tenant)]
    await running.stub.Say(running.request(), metadata=metadata)
    loop_now = asyncio.get_running_loop().time()  # the monotonic clock
    deadline = running.echo.seen[-1].deadline
    assert deadline is not None
    assert 600 < deadline - loop_now <= 700


@pytest.mark.parametrize("kind", KINDS)
async def test_the_deadline_ends_the_handler(stubs: Any, kind: str) -> None:
    settings = settings_of(default_deadline_seconds=0.1, stream_deadline_seconds=0.1)
    keys, echo = Keys(), Echo(stubs[0])
    server = await new_server(servicers_of(stubs, keys, echo), settings)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = stubs[1].EchoServiceStub(channel)
        running = Running(server, keys, echo, channel, stub, stubs[0], settings)
        error = await failure(running.call(kind, running.request("slow"), timeout=None))
    await server.stop(drain_seconds=0)
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert details(error)["ErrorInfo"].reason == "DEADLINE_EXCEEDED"


async def test_errors_of_groups_and_of_the_database(running: Running) -> None:
    error = await failure(running.call("Say", running.request("group")))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    error = await failure(running.call("Say", running.request("lost")))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert details(error)["RetryInfo"].retry_delay.seconds == 1


async def test_an_unknown_method_is_unimplemented(running: Running) -> None:
    made: Any = running.channel.unary_unary("/bootstrap.v1.EchoService/Nothing")
    error = await failure(made(b"", timeout=PATIENCE))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert details(error)["ErrorInfo"].reason == "UNIMPLEMENTED"


async def test_a_call_to_another_service_carries_the_caller(running: Running) -> None:
    error = await failure(
        running.call(
            "Say",
            running.request("pass on"),
            metadata=[("x-api-key", running.keys.user), ("x-request-id", "r-1")],
            timeout=PATIENCE,
        )
    )
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert details(error)["ResourceInfo"].resource_name == "m1"
    outer, inner = running.echo.seen
    assert inner.request_id == outer.request_id == "r-1"
    assert inner.principal == outer.principal
    assert outer.deadline is not None
    assert inner.deadline is not None
    # Counted anew from its arrival, but what was left of the caller's: the default is 700 s.
    assert inner.deadline < outer.deadline + 300


async def test_background_work_calls_with_the_internal_key(running: Running) -> None:
    with context.act_for(TENANT, "Zoë ☕", timeout=PATIENCE):
        response = await running.echo.peer.Say(running.request("owner", "Zoë ☕"))
    assert UUID(response.text).version == 5
    assert running.echo.seen[-1].principal == Principal("service", TENANT, "Zoë ☕")
    deadline = running.echo.seen[-1].deadline
    assert deadline is not None
    assert deadline - asyncio.get_running_loop().time() < PATIENCE + 1
    with context.act_for(TENANT, "melanie"):
        error = await failure(running.echo.peer.Say(running.request("owner", "caroline")))
    assert details(error)["ErrorInfo"].reason == "USER_NOT_ALLOWED"


async def test_health_and_reflection_need_no_key(running: Running) -> None:
    checks: Any = health_pb2_grpc.HealthStub(running.channel)
    for name in ("", "bootstrap.v1.EchoService"):
        answer = await checks.Check(health_pb2.HealthCheckRequest(service=name), timeout=PATIENCE)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    importlib.import_module("mnema.v1.ingest_service_pb2")
    asked = reflection_pb2.ServerReflectionRequest(
        file_containing_symbol="mnema.v1.IngestService", host=""
    )
    for version in ("v1alpha", "v1"):
        ask: Any = running.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        listed = [a async for a in ask(iter([LIST_SERVICES, asked]), timeout=PATIENCE)]
        names = {each.name for each in listed[0].list_services_response.service}
        assert {"mnema.v1.IngestService", "bootstrap.v1.EchoService"} <= names
        assert listed[1].file_descriptor_response.file_descriptor_proto


LIST_SERVICES = reflection_pb2.ServerReflectionRequest(list_services="")


async def test_health_is_not_serving_before_the_start(stubs: Any) -> None:
    server = await new_server(servicers_of(stubs, None, Echo(stubs[0])), settings_of())
    await server.grpc.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        checks: Any = health_pb2_grpc.HealthStub(channel)
        answer = await checks.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    await server.stop(drain_seconds=0)


async def test_a_taken_port_is_refused(running: Running, stubs: Any) -> None:
    with pytest.raises(OSError, match="cannot listen"):
        await new_server(
            servicers_of(stubs, None, running.echo),
            RuntimeSettings(server=ServerSettings(port=running.server.port)),
        )
