"""What the worker counts. Label values are closed sets: no users, no texts."""

from typing import Literal

from opentelemetry import metrics

from services.runtime.telemetry import METER

EXTRACTIONS = "mnema_extractions"
EXTRACTION_DURATION = "mnema_extraction_duration_seconds"
EXTRACTED = "mnema_extracted"
EMBEDDED = "mnema_embedded_items"
JOBS = "mnema_jobs"
JOBS_RUNNING = "mnema_jobs_running"
LABEL_OUTCOME = "outcome"
LABEL_KIND = "kind"
LABEL_JOB = "job"

ExtractionOutcome = Literal["done", "retried", "failed"]
JobOutcome = Literal["done", "retried", "dropped"]
_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120)


class ExtractionMetrics:
    """How extractions end, how long they take, what they find."""

    def __init__(self) -> None:
        meter = metrics.get_meter(METER)
        self._ended = meter.create_counter(EXTRACTIONS, description="Attempts that ended.")
        self._duration = meter.create_histogram(
            EXTRACTION_DURATION,
            unit="s",
            description="How long the extractor and the embedding took.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._found = meter.create_counter(EXTRACTED, description="What extractions found.")

    def done(self, seconds: float, found: dict[str, int]) -> None:
        """An extraction was committed; `found` counts by kind."""
        self._ended.add(1, {LABEL_OUTCOME: "done"})
        self._duration.record(seconds)
        for kind, count in found.items():
            self._found.add(count, {LABEL_KIND: kind})

    def failed(self, *, for_good: bool) -> None:
        """An attempt failed and will be made again, or was the last."""
        outcome: ExtractionOutcome = "failed" if for_good else "retried"
        self._ended.add(1, {LABEL_OUTCOME: outcome})


class JobMetrics:
    """How many jobs run, and how they end."""

    def __init__(self) -> None:
        meter = metrics.get_meter(METER)
        self._ended = meter.create_counter(JOBS, description="Jobs that ended.")
        self._running = meter.create_up_down_counter(JOBS_RUNNING, description="Jobs running.")
        self._embedded = meter.create_counter(EMBEDDED, description="Items that got a vector.")

    def started(self, job: str) -> None:
        """A job has begun."""
        self._running.add(1, {LABEL_JOB: job})

    def ended(self, job: str, outcome: JobOutcome) -> None:
        """A job has ended."""
        self._running.add(-1, {LABEL_JOB: job})
        self._ended.add(1, {LABEL_JOB: job, LABEL_OUTCOME: outcome})

    def embedded(self, items: int) -> None:
        """So many items got a vector."""
        self._embedded.add(items)
