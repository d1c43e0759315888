"""Events as callers and callbacks see them."""

from collections.abc import Callable, Mapping
from typing import Any

from mnema.client._convert.names import EVENT_TYPES, LLM_PURPOSES, MEMORY_CHANGES, MEMORY_TYPES
from mnema.client._convert.times import moment_of
from mnema.client.models import Event
from mnema.v1 import event_service_pb2 as pb


def event_of(event: pb.Event) -> Event:
    """An event; of a type newer than this client it has no data."""
    kind = event.WhichOneof("payload")
    return Event(
        cursor=event.cursor,
        id=event.event_id,
        user_id=event.user_id,
        type=kind or "",
        recorded_at=moment_of(event.recorded_at),
        data={} if kind is None else _DATA[kind](event),
    )


def stats_of(event: Event) -> dict[str, Any] | None:
    """What the callback of an event's type is given; None: nothing to be told.

    Failed attempts at an extraction are none that completed.
    """
    keys = _STATS.get(event.type)
    if keys is None or event.data.get("failed"):
        return None
    data = {"user_id": event.user_id, **event.data}
    return {key: data[key] for key in keys}


def _extraction(event: pb.Event) -> dict[str, Any]:
    ended = event.extraction
    return {
        "session_id": ended.session_id,
        "extraction_id": ended.extraction_id,
        "duration": ended.duration.ToTimedelta().total_seconds(),
        "facts_extracted": ended.facts_extracted,
        "episodes_extracted": ended.episodes_extracted,
        "triples_extracted": ended.triples_extracted,
        "messages_processed": ended.messages_processed,
        "failed": ended.failed,
        "reason": ended.reason,
        "will_retry": ended.will_retry,
    }


def _llm_call(event: pb.Event) -> dict[str, Any]:
    call = event.llm_call
    return {
        "purpose": LLM_PURPOSES.name(call.purpose),
        "model": call.model,
        "duration_ms": call.duration_ms,
        "max_tokens": call.max_tokens,
        "temperature": call.temperature,
        "success": call.success,
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
    }


def _embedding_call(event: pb.Event) -> dict[str, Any]:
    call = event.embedding_call
    return {
        "text_count": call.text_count,
        "model": call.model,
        "duration_ms": call.duration_ms,
        "success": call.success,
    }


def _digest(event: pb.Event) -> dict[str, Any]:
    made = event.digest
    return {
        "memories_analyzed": made.memories_analyzed,
        "insights_generated": made.insights_generated,
    }


def _memory_changed(event: pb.Event) -> dict[str, Any]:
    changed = event.memory_changed
    return {
        "memory_id": changed.memory_id,
        "change": MEMORY_CHANGES.name(changed.change),
        "memory_type": MEMORY_TYPES.name(changed.memory_type),
        "revision": changed.revision,
        "superseded_by": changed.superseded_by or None,
    }


_DATA: Mapping[str, Callable[[pb.Event], dict[str, Any]]] = {
    "extraction": _extraction,
    "llm_call": _llm_call,
    "embedding_call": _embedding_call,
    "digest": _digest,
    "memory_changed": _memory_changed,
}
_STATS = {
    "extraction": (
        "user_id",
        "session_id",
        "duration",
        "facts_extracted",
        "episodes_extracted",
        "triples_extracted",
        "messages_processed",
    ),
    "llm_call": ("duration_ms", "model", "max_tokens", "temperature", "success"),
    "embedding_call": ("text_count", "duration_ms", "model", "success"),
}
CALLBACK_TYPES = [EVENT_TYPES.number(name) for name in _STATS]
