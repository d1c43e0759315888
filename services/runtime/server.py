"""The one place where a gRPC server is built, and the life of a process that serves.

Start: telemetry, the target's parts, the port, then health says SERVING. Stop (SIGTERM or
SIGINT): health says NOT_SERVING, new calls are refused, running ones get `drain_seconds`,
background tasks are asked to stop, and what the target opened is closed in reverse order.
"""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import grpc
import structlog
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from services.runtime import logs, telemetry
from services.runtime.auth import Authenticator, CachedAuthenticator, KeyRing
from services.runtime.config import RuntimeSettings
from services.runtime.interceptors.serving import ServingInterceptor

log = structlog.get_logger("mnema.server")

_REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"
_COLLECT_AFTER = 10_000  # objects more than before
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True)
class Service:
    """One gRPC service: its full name, its servicer, and the generated function that adds it."""

    name: str
    servicer: Any
    add: Callable[[Any, Any], None]


@dataclass(frozen=True, slots=True)
class BackgroundTask:
    """A loop that runs as long as the process. It ends soon after `stop` is set.

    What it does by then gets `drain_seconds`; after that it is cancelled.

    If it ends before, or fails, the whole process goes down with an error: a worker that died
    unseen would leave its queue to grow.
    """

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Servicers:
    """What a target's build function returns.

    `drain` functions are called when the process is about to stop, to end long streams.
    `authenticator` checks API keys; without one only the internal key is accepted.
    """

    services: tuple[Service, ...] = ()
    background: tuple[BackgroundTask, ...] = ()
    drain: tuple[Callable[[], Awaitable[None]], ...] = ()
    authenticator: Authenticator | None = None

    @classmethod
    def merge(cls, parts: Iterable["Servicers"]) -> "Servicers":
        """Several targets in one process, with the first authenticator there is."""
        parts = tuple(parts)
        return cls(
            tuple(each for part in parts for each in part.services),
            tuple(each for part in parts for each in part.background),
            tuple(each for part in parts for each in part.drain),
            next((part.authenticator for part in parts if part.authenticator), None),
        )


S = TypeVar("S", bound=RuntimeSettings)
Build: TypeAlias = Callable[[S, AsyncExitStack], Awaitable[Servicers]]


@dataclass(frozen=True, slots=True)
class Server:
    """A gRPC server that is bound to its port but not yet started, with its health."""

    grpc: "grpc.aio.Server"
    health: "health.aio.HealthServicer"
    port: int
    names: tuple[str, ...]

    async def start(self) -> None:
        """Take calls, then say so."""
        await self.grpc.start()
        for name in ("", *self.names):
            await self.health.set(name, _SERVING)

    async def stop(self, *, drain_seconds: float, delay_seconds: float = 0.0) -> None:
        """Say NOT_SERVING, wait for balancers, refuse new calls, let running ones finish."""
        await self.health.enter_graceful_shutdown()
        await asyncio.sleep(delay_seconds)
        await self.grpc.stop(drain_seconds)


async def new_server(
    servicers: Servicers,
    settings: RuntimeSettings,
    *,
    reflected: Sequence[str] = (),
    outermost: Sequence["grpc.aio.ServerInterceptor"] = (),
) -> Server:
    """A server with everything that each of ours has. OSError when the port is taken.

    `reflected` are the services that reflection tells of (all public ones, whichever this
    process serves); their stubs must have been imported. Health is NOT_SERVING until `start`.
    """
    authenticator = servicers.authenticator
    keys = KeyRing(
        CachedAuthenticator(authenticator) if authenticator else None, settings.internal_key
    )
    server = grpc.aio.server(
        interceptors=[
            *outermost,
            ServingInterceptor(telemetry.RpcMetrics(), settings.server, keys),
        ],
        options=_options(settings.server.max_message_bytes),
        maximum_concurrent_rpcs=settings.server.max_concurrent_rpcs,
    )
    for service in servicers.services:
        service.add(service.servicer, server)
    names = tuple(service.name for service in servicers.services)
    checks = health.aio.HealthServicer()
    for name in ("", *names):
        await checks.set(name, _NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    _add_reflection(server, sorted({*reflected, *names}))
    return Server(server, checks, _bind(server, settings), names)


def run_target(build: "Build[S]", settings: S, *, reflected: Sequence[str] = ()) -> int:
    """Serve until SIGTERM or SIGINT. The exit code: 0, or 1 when something died.

    `build` makes the target's parts; what has to be closed goes onto its stack.
    """
    logs.configure(settings.telemetry)
    try:
        uvloop.run(serve(build, settings, reflected=reflected, started=_settle_memory))
    except Exception:
        log.exception("the process goes down")
        return 1
    return 0


def _settle_memory(_port: int) -> None:
    """What start-up made stays for good: the garbage collector need not look at it again.

    And it looks less often: what a call makes goes with its last reference, only cycles wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)


async def serve(
    build: "Build[S]",
    settings: S,
    *,
    reflected: Sequence[str] = (),
    stop: asyncio.Event | None = None,
    started: Callable[[int], None] | None = None,
) -> None:
    """`run_target` inside a running event loop.

    Ends when `stop` is set (SIGTERM and SIGINT set it too); `started` is told the port.
    Raises what killed a background task, or kept the target from starting.
    """
    stop = stop or asyncio.Event()
    with _signals(stop):
        async with AsyncExitStack() as stack:
            observed = telemetry.start(settings.telemetry, "mnema")
            stack.push_async_callback(asyncio.to_thread, observed.stop)
            servicers = await build(settings, stack)
            server = await new_server(
                servicers, settings, reflected=reflected, outermost=observed.server_interceptors
            )
            async with asyncio.TaskGroup() as group:
                for task in servicers.background:
                    group.create_task(
                        _run(task, stop, settings.server.drain_seconds), name=task.name
                    )
                group.create_task(
                    _serve(server, servicers, settings, stop, started), name="grpc server"
                )


async def _serve(
    server: Server,
    servicers: Servicers,
    settings: RuntimeSettings,
    stop: asyncio.Event,
    started: Callable[[int], None] | None,
) -> None:
    limits = settings.server
    try:
        await server.start()
        log.info("serving", port=server.port, services=list(server.names))
        if started is not None:
            started(server.port)
        await stop.wait()
    finally:
        # Also when a background task died: calls under way are finished either way.
        log.info("draining", seconds=limits.drain_seconds)
        try:
            for drain in servicers.drain:
                await drain()
        finally:
            await server.stop(
                drain_seconds=limits.drain_seconds, delay_seconds=limits.drain_delay_seconds
            )
        log.info("stopped")


async def _run(task: BackgroundTask, stop: asyncio.Event, grace_seconds: float) -> None:
    timer = asyncio.timeout(None)
    ending = asyncio.create_task(_set_after(timer, stop, grace_seconds))
    try:
        async with timer:
            await task.run(stop)
    except TimeoutError:
        if not timer.expired():
            raise
        log.warning("a background task was cut off", task=task.name)
    finally:
        ending.cancel()
    if not stop.is_set():
        raise RuntimeError(f"the background task {task.name!r} ended by itself")


async def _set_after(timer: asyncio.Timeout, stop: asyncio.Event, seconds: float) -> None:
    await stop.wait()
    timer.reschedule(asyncio.get_running_loop().time() + seconds)


def _bind(server: "grpc.aio.Server", settings: RuntimeSettings) -> int:
    address = f"{settings.server.host}:{settings.server.port}"
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}") from error
    if port == 0:
        raise OSError(f"cannot listen on {address}")
    return port


def _options(max_message_bytes: int) -> list[tuple[str, Any]]:
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        # The gateway lets 60 KiB of headers through, and sends a REST call's whole path as one.
        ("grpc.max_metadata_size", 64 * 1024),
        ("grpc.so_reuseport", 0),  # two servers on one port would share its calls silently
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ]


def _add_reflection(server: "grpc.aio.Server", names: Sequence[str]) -> None:
    """Reflection v1alpha by the library, and v1, which has the same messages."""
    told = (*names, health.SERVICE_NAME, reflection.SERVICE_NAME, _REFLECTION_V1)
    reflection.enable_server_reflection(told, server)
    servicer = reflection.aio.ReflectionServicer(told)
    info = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_REFLECTION_V1, {"ServerReflectionInfo": info}),)
    )


class _signals:  # noqa: N801 - reads as a statement
    """SIGTERM and SIGINT set the event; only in the main thread, where signals arrive."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._taken: list[signal.Signals] = []

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(ValueError, RuntimeError):
                loop.add_signal_handler(number, self._stop.set)
                self._taken.append(number)

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in self._taken:
            loop.remove_signal_handler(number)
