"""The one table of limits: what a field of a request may hold.

A rule is found by the field's full name ("mnema.v1.NewMessage.content"), then by its bare
name, then by its type. It holds wherever the field stands, in nested messages too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

Form = Literal["any", "line", "uuid"]

UUID_FORM = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
MASK_PATH = re.compile(r"\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")

SLOW_SECONDS = 300.0
"""How long a call of one of SLOW_METHODS may take; of others the settings say."""

SLOW_METHODS = frozenset(
    {
        "/mnema.v1.LifecycleService/DeleteUserData",
        "/mnema.v1.MemoryService/RollbackMemories",
        "/mnema.v1.MemoryService/UndoRollback",
        "/mnema.v1.ReflectService/Digest",
    }
)
"""Calls that go through all that a user has, or wait for a language model."""

MAX_VIOLATIONS = 16
MAX_MASK_PATHS = 64


@dataclass(frozen=True, slots=True)
class Text:
    """From `minimum` to `maximum` characters (code points), never NUL.

    The minimum is for items of lists; a single text that must be there is REQUIRED instead.

    A "line" has no control characters; a "uuid" is empty or a UUID; with `one_of`, one of these.
    """

    maximum: int
    form: Form = "any"
    one_of: tuple[str, ...] = ()
    minimum: int = 0


@dataclass(frozen=True, slots=True)
class Number:
    """From `minimum` to `maximum`, both included; always finite."""

    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Bytes:
    """At most `maximum` bytes."""

    maximum: int


@dataclass(frozen=True, slots=True)
class Json:
    """A Struct, Value or ListValue: its serialised size in bytes, and how deep it nests."""

    maximum: int
    depth: int = 16


@dataclass(frozen=True, slots=True)
class Span:
    """A Duration, in seconds."""

    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Items:
    """A list or map of at most `maximum`, each item after the rule `each` (or its type's)."""

    maximum: int
    each: "Text | Number | Bytes | Json | None" = None


Rule: TypeAlias = Text | Number | Bytes | Json | Span | Items

KIB = 1024
_YEAR_SECONDS = 366 * 24 * 3600.0
_UUID = Text(36, "uuid")
_NAME = Text(256, "line")
_SHARE = Number(0, 1)
_LIMIT = Number(0, 200)
_TAG = Text(64, "line")

DEFAULT_TEXT = Text(1024)
DEFAULT_BYTES = Bytes(2 * KIB * KIB)
DEFAULT_JSON = Json(16 * KIB)
DEFAULT_ITEMS = Items(1000)
DEFAULT_SPAN = Span(0, 100 * _YEAR_SECONDS)

# The years 2 to 9998: a year's arithmetic stays within what a datetime holds, in any time zone,
# and the driver of the database takes the ends of that, 0001-01-01 and 9999-12-31, for infinite.
FIRST_MOMENT = datetime(2, 1, 1, tzinfo=UTC)
AFTER_LAST_MOMENT = datetime(9999, 1, 1, tzinfo=UTC)
FIRST_SECOND = -62_104_060_800
LAST_SECOND = 253_370_764_799
ZERO_TIME_SECOND = -62_135_596_800
"""0001-01-01T00:00:00Z: what Go and .NET send of a time that nobody has set."""


def is_accepted(moment: datetime) -> bool:
    """Whether an aware moment is one of those that a request may hold."""
    return FIRST_MOMENT <= moment < AFTER_LAST_MOMENT


BY_NAME: Mapping[str, Rule] = {
    # who and where
    "user_id": _NAME,
    "session_id": _NAME,
    "tenant_id": _UUID,
    "key_id": _UUID,
    "memory_id": _UUID,
    "rollback_id": _UUID,
    "message_id": _UUID,
    "extraction_id": _UUID,
    "digest_id": _UUID,
    "file_id": _UUID,
    "deletion_id": _UUID,
    "edge_id": _UUID,
    "request_id": _UUID,
    "extraction_ids": Items(1000, _UUID),
    "node_id": _NAME,
    # texts
    "role": Text(16, one_of=("user", "assistant", "system", "tool")),
    "content": Text(400_000),
    "texts": Items(256, Text(32_768, minimum=1)),
    "query": Text(8_192),
    "speaker": _NAME,
    "name": _NAME,
    "entity": _NAME,
    "title": Text(512, "line"),
    "slot": _NAME,
    "custom_type": Text(128, "line"),
    "category": Text(128, "line"),
    "label": _TAG,
    "namespace": Text(128, "line"),
    "key": _NAME,
    "prefix": _NAME,
    "ranking_profile": Text(63, "line"),
    "time_zone": Text(64, "line"),
    "filename": Text(512, "line"),
    "mime_type": Text(128, "line"),
    "file_types": Items(64, Text(32, "line")),
    "tags": Items(64, _TAG),
    # values
    "metadata": DEFAULT_JSON,
    "properties": DEFAULT_JSON,
    "value": Json(256 * KIB),
    "values": Items(1000, Json(256 * KIB)),
    "messages": Items(1000),
    "triples": Items(1000),
    "query_embedding": Items(4096),
    "file_data": Bytes(8 * KIB * KIB),
    "chunk": Bytes(1 * KIB * KIB),
    # numbers
    "page_size": Number(0, 2**31 - 1),  # above the call's maximum it is lowered, not refused
    "page_token": Text(2048, "line"),
    "cursor": Text(64, "line"),
    "max_duration": Span(0.1, 3600),
    "limit": _LIMIT,
    "max_depth": Number(0, 10),
    "max_retries": Number(0, 10),
    "batch_size": Number(0, 200),
    "max_context_tokens": Number(0, 131_072),  # 1 to 63 are refused by recall
    "expires_in": Span(1, 7 * 24 * 3600.0),  # what S3's signatures last at most
    "threshold_days": Number(0, 36_500),
    "weeks": Number(0, 520),
    "decay_rate": Span(1, 100 * _YEAR_SECONDS),  # divided by
    "importance": Number(1, 10),
    "confidence": _SHARE,
    "weight": _SHARE,
    "arousal": _SHARE,
    "valence": Number(-1, 1),
}

BY_FULL_NAME: Mapping[str, Rule] = {
    "mnema.v1.WatchRequest.types": Items(16),
    "mnema.v1.ListEventsRequest.types": Items(16),
    "mnema.v1.Memory.content": Text(16_384),
    "mnema.v1.Edge.content": Text(16_384),
    "mnema.v1.Triple.content": Text(16_384),
    "mnema.v1.CreateFileFromTextRequest.content": Text(1_000_000),
    "mnema.v1.DownloadByLinkRequest.token": Text(256, "line"),
    "mnema.v1.SignalWeight.short": Number(-100, 100),
    "mnema.v1.SignalWeight.long": Number(-100, 100),
    "mnema.v1.FactorStrengths.recency": _SHARE,
    "mnema.v1.FactorStrengths.importance": _SHARE,
    "mnema.v1.FactorStrengths.graph_boost": _SHARE,
    "mnema.v1.Settings.reflection_interval": Number(0, 10_000),
    "mnema.v1.ExtractionStrategy.message_interval": Number(0, 10_000),
    "mnema.v1.ExtractionStrategy.idle_timeout": Span(0, 30 * 24 * 3600.0),
    "mnema.v1.ExportHeader.format": Text(63, "line"),
    "mnema.v1.ExportRecord.kind": Text(63, "line"),
    "mnema.v1.ExportRecord.json": Text(8 * KIB * KIB),
    "mnema.v1.NewFile.size_bytes": Number(0, 2**62),  # too many for a file is an error of its own
}
