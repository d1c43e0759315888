"""Spans collected over OTLP, and how a call's time is divided among them."""

import asyncio

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind

from bench.traces import Span, collecting, stages

ROOT = "/a.B/Recall"


def span(name: str, began: float, ended: float, parent: str = "", *, client: bool = False) -> Span:
    """Times in milliseconds; a span's id is its name."""
    return Span(
        b"trace",
        name.encode(),
        parent.encode(),
        name,
        int(began * 1e6),
        int(ended * 1e6),
        client,
    )


def test_own_time_is_what_no_span_below_covers() -> None:
    trace = [
        span("embed", 12, 15, "search"),
        span(ROOT, 10, 30),
        span("search", 11, 21, ROOT),
        span("graph", 19, 25, ROOT),  # two milliseconds side by side with the search
    ]

    found = stages([trace], ROOT)

    assert [(each.path, each.total, each.own) for each in found] == [
        (("a.B/Recall",), [20.0], [6.0]),
        (("a.B/Recall", "search"), [10.0], [7.0]),
        (("a.B/Recall", "search", "embed"), [3.0], [3.0]),
        (("a.B/Recall", "graph"), [6.0], [6.0]),
    ]


def test_spans_of_one_name_add_up_within_a_call() -> None:
    once = [span(ROOT, 0, 10), span("sql", 1, 2, ROOT), span("sql", 4, 7, ROOT)]
    again = [span(ROOT, 0, 8), span("sql", 1, 3, ROOT)]

    found = stages([once, again], ROOT)

    assert [(each.path[-1], each.total) for each in found] == [
        ("a.B/Recall", [10.0, 8.0]),
        ("sql", [4.0, 2.0]),
    ]


async def test_the_collector_gets_what_an_exporter_sends() -> None:
    async with collecting() as collector:
        endpoint = collector.environment["MNEMA_TELEMETRY__OTLP_ENDPOINT"]
        provider = TracerProvider()
        provider.add_span_processor(
            SimpleSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True, timeout=60))
        )
        trace_id = await asyncio.to_thread(_make_spans, provider)
        await collector.wait_for([trace_id], ROOT, quiet_seconds=0.2)
        spans = {each.name: each for each in collector.spans[trace_id]}
        await asyncio.to_thread(provider.shutdown)

    assert spans["SELECT"].parent_id == spans[ROOT].span_id
    assert spans["SELECT"].statement == "SELECT 1 FROM memories"
    assert spans["SELECT"].is_client
    assert not spans[ROOT].is_client
    found = stages([list(spans.values())], ROOT)
    assert [each.path[-1] for each in found] == ["a.B/Recall", "SQL SELECT 1 FROM memories"]
    assert found[0].total[0] == pytest.approx(found[0].own[0] + found[1].total[0])


def _make_spans(provider: TracerProvider) -> bytes:
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span(ROOT, kind=SpanKind.SERVER) as root:
        statement = "-- $1 owner_id. Key: pk_memories.\nSELECT 1\n    FROM memories"
        with tracer.start_as_current_span(
            "SELECT", kind=SpanKind.CLIENT, attributes={"db.statement": statement}
        ):
            pass
    return root.get_span_context().trace_id.to_bytes(16)
