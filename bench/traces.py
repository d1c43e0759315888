"""Where the time of a call goes: the services' own spans, collected in this process.

The services send OpenTelemetry spans over OTLP when told where to. This is the receiving
end, and the arithmetic: a span's own time is what none of the spans within it covers.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_hex

import grpc
import numpy as np
from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

Context = grpc.aio.ServicerContext[Message, Message]

_LAST_SPANS_SECONDS = 20.0
SENDING_SECONDS = 6.0
"""A little longer than the services keep spans before they send them."""


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work. Times in nanoseconds since 1970, by one clock: all is one machine."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    began: int
    ended: int
    is_client: bool
    statement: str = ""


@dataclass(slots=True)
class Stage:
    """All spans of one name below the same parents: `milliseconds` of each call that had any."""

    path: tuple[str, ...]
    total: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)


class Collector:
    """Keeps every span that arrives; `environment` makes services send theirs here."""

    def __init__(self, port: int) -> None:
        """`port` is where it listens."""
        self.spans: dict[bytes, list[Span]] = defaultdict(list)
        self._arrived = asyncio.Event()
        # A new trace is not recorded unless its caller asks: waiting workers stay quiet.
        self.environment = {
            "MNEMA_TELEMETRY__OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "MNEMA_TELEMETRY__TRACE_SAMPLE_RATIO": "0",
        }

    async def wait_for(
        self, ids: Collection[bytes], root: str, quiet_seconds: float = SENDING_SECONDS
    ) -> None:
        """Waits for the spans of these traces.

        TimeoutError if one has no span of the name `root` after 20 s. Services send every five
        seconds, each for itself: all is there when nothing has come for `quiet_seconds`.
        """
        async with asyncio.timeout(_LAST_SPANS_SECONDS):
            while not all(_has(self.spans.get(each, ()), root) for each in ids):
                await self._next()
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(quiet_seconds):
                    await self._next()

    def take(self, span: Span) -> None:
        """A span has arrived."""
        self.spans[span.trace_id].append(span)
        self._arrived.set()

    async def _next(self) -> None:
        self._arrived.clear()
        await self._arrived.wait()


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def Export(  # noqa: N802 - the contract's name
        self,
        request: trace_service_pb2.ExportTraceServiceRequest,
        context: Context,  # noqa: ARG002
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self._collector.take(_read(span))
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    """Takes the metrics, which go to the same address, and keeps none."""

    async def Export(  # noqa: N802 - the contract's name
        self,
        request: metrics_service_pb2.ExportMetricsServiceRequest,  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> metrics_service_pb2.ExportMetricsServiceResponse:
        return metrics_service_pb2.ExportMetricsServiceResponse()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens as long as the block lasts."""
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    collector = Collector(server.add_insecure_port("127.0.0.1:0"))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(  # type: ignore[no-untyped-call]
        _Traces(collector), server
    )
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(  # type: ignore[no-untyped-call]
        _Metrics(), server
    )
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)


def new_trace() -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """A trace's id, and the metadata that make the services record it."""
    trace_id, span_id = token_hex(16), token_hex(8)
    return bytes.fromhex(trace_id), (("traceparent", f"00-{trace_id}-{span_id}-01"),)


def stages(traces: Sequence[Sequence[Span]], root: str) -> list[Stage]:
    """The stages of calls named `root`, each below the one it is part of, in order of time."""
    found: dict[tuple[str, ...], Stage] = {}
    starts: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for trace in traces:
        children: dict[bytes, list[Span]] = defaultdict(list)
        for span in sorted(trace, key=lambda each: each.began):
            children[span.parent_id].append(span)
        top = next(each for each in trace if each.name == root and not each.is_client)
        sums: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
        _add(top, (_label(top),), children, sums, starts, top.began)
        for path, (total, own) in sums.items():
            stage = found.setdefault(path, Stage(path))
            stage.total.append(total)
            stage.own.append(own)
    return _ordered(found, {path: float(np.median(each)) for path, each in starts.items()})


def _add(
    span: Span,
    path: tuple[str, ...],
    children: dict[bytes, list[Span]],
    sums: dict[tuple[str, ...], list[float]],
    starts: dict[tuple[str, ...], list[int]],
    origin: int,
) -> None:
    within = children.get(span.span_id, [])
    sums[path][0] += (span.ended - span.began) / 1e6
    sums[path][1] += (span.ended - span.began - _covered(within)) / 1e6
    starts[path].append(span.began - origin)
    for child in within:
        _add(child, (*path, _label(child)), children, sums, starts, origin)


def _covered(spans: Sequence[Span]) -> int:
    """Nanoseconds in which at least one of them ran; they are in order of their beginnings."""
    covered, until = 0, 0
    for span in spans:
        covered += max(0, span.ended - max(span.began, until))
        until = max(until, span.ended)
    return covered


def _ordered(
    found: dict[tuple[str, ...], Stage], starts: dict[tuple[str, ...], float]
) -> list[Stage]:
    """Depth first, siblings by when they begin."""
    return sorted(
        found.values(),
        key=lambda stage: [
            (starts[stage.path[: depth + 1]], stage.path[depth]) for depth in range(len(stage.path))
        ],
    )


def _label(span: Span) -> str:
    if span.statement:
        return f"SQL {span.statement}"
    name = span.name.removeprefix("/").removeprefix("mnema.v1.")
    return f"→ {name}" if span.is_client else name


def _has(spans: Iterable[Span], name: str) -> bool:
    return any(span.name == name and not span.is_client for span in spans)


def _read(span: trace_pb2.Span) -> Span:
    attributes = {each.key: each.value.string_value for each in span.attributes}
    statement = attributes.get("db.statement") or attributes.get("db.query.text") or ""
    return Span(
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.name,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.kind == trace_pb2.Span.SPAN_KIND_CLIENT,
        _bare(statement),
    )


def _bare(statement: str) -> str:
    """A statement in one line, without the comment lines above it."""
    lines = [line for line in statement.splitlines() if not line.lstrip().startswith("--")]
    return " ".join(" ".join(lines).split())
