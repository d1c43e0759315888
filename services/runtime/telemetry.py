"""Traces and metrics. Nothing is exported, and next to nothing costs, until configured."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import prometheus_client
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.grpc import aio_client_interceptors, aio_server_interceptor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from services.runtime.config import TelemetrySettings

METER = "mnema"
RPC_REQUESTS = "mnema_rpc_requests"
RPC_DURATION = "mnema_rpc_duration_seconds"
RPC_RUNNING = "mnema_rpc_running"
LABEL_METHOD = "method"
LABEL_CODE = "code"
_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class RpcMetrics:
    """Rate, errors and duration of calls, by method and status code: both closed sets."""

    def __init__(self) -> None:
        meter = metrics.get_meter(METER)
        self._requests = meter.create_counter(RPC_REQUESTS, description="Calls ended.")
        self._duration = meter.create_histogram(
            RPC_DURATION,
            unit="s",
            description="How long calls took.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._running = meter.create_up_down_counter(RPC_RUNNING, description="Calls running.")

    def started(self) -> None:
        """A call has begun."""
        self._running.add(1)

    def finished(self, method: str, code: str, seconds: float) -> None:
        """A call has ended. `method` is one that exists, or "unknown"."""
        labels = {LABEL_METHOD: method, LABEL_CODE: code}
        self._running.add(-1)
        self._requests.add(1, labels)
        self._duration.record(seconds, labels)


@dataclass(slots=True)
class Telemetry:
    """What was started, to be stopped at the end of the process."""

    server_interceptors: Sequence[Any] = ()
    metrics_port: int | None = None
    _stops: list[Any] = field(default_factory=list)

    def stop(self) -> None:
        """Send what is still held back (a few seconds at most) and stop exporting."""
        for stop in reversed(self._stops):
            stop()
        self._stops.clear()


def start(settings: TelemetrySettings, service: str) -> Telemetry:
    """Start what is configured. Once per process: OpenTelemetry's providers are global."""
    telemetry = Telemetry()
    resource = Resource.create({SERVICE_NAME: service})
    readers: list[MetricReader] = []
    if settings.otlp_endpoint is not None:
        _start_traces(settings, settings.otlp_endpoint, resource, telemetry)
        exporter = OTLPMetricExporter(endpoint=settings.otlp_endpoint, timeout=5)
        readers.append(PeriodicExportingMetricReader(exporter))
    if settings.metrics_port is not None:
        readers.append(PrometheusMetricReader())
        server, thread = prometheus_client.start_http_server(
            settings.metrics_port, settings.metrics_host
        )
        telemetry.metrics_port = server.server_port
        telemetry._stops.append(thread.join)
        telemetry._stops.append(server.server_close)
        telemetry._stops.append(server.shutdown)
    if readers:
        provider = MeterProvider(readers, resource)
        metrics.set_meter_provider(provider)
        telemetry._stops.append(provider.shutdown)
    return telemetry


def client_interceptors() -> list["grpc.aio.ClientInterceptor"]:
    """The tracing interceptors of a channel; none when no traces are made."""
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return list(aio_client_interceptors())  # type: ignore[no-untyped-call]
    return []


def _start_traces(
    settings: TelemetrySettings, endpoint: str, resource: Resource, telemetry: Telemetry
) -> None:
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.trace_sample_ratio)), resource=resource
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5)))
    trace.set_tracer_provider(provider)
    statements = AsyncPGInstrumentor()  # type: ignore[no-untyped-call]
    statements.instrument(tracer_provider=provider)
    calls = aio_server_interceptor(tracer_provider=provider)  # type: ignore[no-untyped-call]
    telemetry.server_interceptors = (calls,)
    telemetry._stops.append(statements.uninstrument)
    telemetry._stops.append(provider.shutdown)
