"""A whole process: run_target with signals, metrics and its exit code; and peers that return."""

import asyncio
import json
import signal
import socket
import sys
import urllib.request
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.runtime.channels import open_channel
from services.runtime.config import RuntimeSettings, ServerSettings
from services.runtime.server import Servicers, new_server
from tests.patience import PATIENCE

PROGRAM = """
import asyncio, sys
from services.runtime.config import RuntimeSettings
from services.runtime.server import BackgroundTask, Servicers, run_target

async def worker(stop):
    if sys.argv[1] == "dies":
        raise ValueError("broken worker")
    await stop.wait()

async def build(settings, stack):
    stack.callback(print, "closed", flush=True)
    return Servicers(background=(BackgroundTask("worker", worker),))

sys.exit(run_target(build, RuntimeSettings()))
"""


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port


async def started(how: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        how,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), "MNEMA_SERVER__PORT": "0"} | environment,
    )


async def event(process: asyncio.subprocess.Process, name: str) -> dict[str, Any]:
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        async for line in process.stderr:
            entry: dict[str, Any] = json.loads(line)
            if entry["event"] == name:
                return entry
    raise AssertionError(f"the process ended without {name!r}")


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as response:
        text: str = response.read().decode()
    return text


async def scraped(port: int, expected: str) -> str:
    """The metrics once they hold `expected`: a call is counted just after its answer."""
    async with asyncio.timeout(PATIENCE):
        while expected not in (  # noqa: ASYNC110 - no event tells
            text := await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/metrics")
        ):
            await asyncio.sleep(0.02)
    return text


async def test_a_process_serves_until_it_is_told_to_stop() -> None:
    metrics = free_port()
    process = await started("lives", MNEMA_TELEMETRY__METRICS_PORT=str(metrics))
    serving = await event(process, "serving")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{serving['port']}") as channel:
        checks: Any = health_pb2_grpc.HealthStub(channel)
        answer = await checks.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        unknown: Any = channel.unary_unary("/x.v1.X/Guess")
        with pytest.raises(grpc.aio.AioRpcError):
            await unknown(b"", timeout=PATIENCE)
    exposed = await scraped(metrics, 'code="UNIMPLEMENTED",method="unknown"')
    assert 'method="/grpc.health.v1.Health/Check"' in exposed
    assert "mnema_rpc_duration_seconds_bucket" in exposed
    process.send_signal(signal.SIGTERM)
    await event(process, "stopped")
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0
    assert out == b"closed\n"


async def test_a_process_whose_worker_died_ends_with_an_error() -> None:
    process = await started("dies")
    entry = await event(process, "the process goes down")
    assert "broken worker" in entry["exception"]
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 1
    assert out == b"closed\n"


async def test_tracing_reports_to_a_collector_and_leaves_calls_whole() -> None:
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def export(request: bytes, _: Any) -> bytes:
        received.put_nowait(request)
        return b""

    collector = grpc.aio.server()
    collector.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "opentelemetry.proto.collector.trace.v1.TraceService",
                {"Export": grpc.unary_unary_rpc_method_handler(export)},
            ),
        )
    )
    port = collector.add_insecure_port("127.0.0.1:0")
    await collector.start()
    process = await started("lives", MNEMA_TELEMETRY__OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
    serving = await event(process, "serving")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{serving['port']}") as channel:
        checks: Any = health_pb2_grpc.HealthStub(channel)
        await checks.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        watch = checks.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await checks.Check(health_pb2.HealthCheckRequest(service="no"), timeout=PATIENCE)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    process.send_signal(signal.SIGTERM)
    spans = await asyncio.wait_for(received.get(), PATIENCE)
    assert b"grpc.health.v1.Health/Check" in spans
    await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0
    await collector.stop(0)


async def test_a_peer_that_returns_is_used_again_at_once() -> None:
    settings = RuntimeSettings(server=ServerSettings(port=free_port()))
    async with AsyncExitStack() as stack:
        address = f"127.0.0.1:{settings.server.port}"
        checks: Any = health_pb2_grpc.HealthStub(open_channel(address, settings, stack))
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await checks.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            server = await new_server(Servicers(), settings)
            await server.start()
            async with asyncio.timeout(PATIENCE):
                while not await serving_now(checks):  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(0.05)
            await server.stop(drain_seconds=0)


async def serving_now(checks: Any) -> bool:
    try:
        await checks.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    except grpc.aio.AioRpcError:
        return False
    return True
