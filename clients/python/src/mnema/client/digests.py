"""A digest as an operation: what asked for it, how far it is, what it found."""

from dataclasses import dataclass
from datetime import datetime

from mnema.client.results import DigestResult


@dataclass(frozen=True)
class Digest:
    """A digest: asked for, under way, or made."""

    id: str
    state: str
    """"pending", "running", "done" or "failed"."""
    trigger: str
    """What asked for it: "call", or "interval" (enough was said since the one before)."""
    batch_size: int
    attempts: int
    memories_analyzed: int
    insights_generated: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: DigestResult | None = None
    """What it found, once it is done; None in lists."""
    error: str | None = None
    """What went wrong the last time."""
    error_reason: str | None = None
