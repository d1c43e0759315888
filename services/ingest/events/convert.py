"""Events: the contract's form and the storage's."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration

from mnema.v1 import event_service_pb2 as pb
from services.contract.convert_memory import memory_type_of
from services.contract.convert_message import timestamp_of
from services.ingest.events.cursors import cursor_of
from services.storage.events import (
    DigestMade,
    EmbeddingCalled,
    EventRow,
    ExtractionEnded,
    LlmCalled,
    MemoryChanged,
)


def kinds_of(types: Iterable["pb.EventType.ValueType"]) -> tuple[str, ...]:
    """The storage's kinds to filter by."""
    return tuple(pb.EventType.Name(each).removeprefix("EVENT_TYPE_").lower() for each in types)


def event_of(row: EventRow) -> pb.Event:
    """A stored event, as the contract shows it."""
    event = pb.Event(
        cursor=cursor_of(row.position),
        event_id=str(row.event_id),
        user_id=row.user_id,
        recorded_at=timestamp_of(row.recorded_at),
    )
    _SHOW[type(row.payload)](event, row.payload)
    return event


def _extraction(event: pb.Event, ended: ExtractionEnded) -> None:
    failed = bool(ended.reason)
    duration = Duration()
    duration.FromTimedelta(timedelta(milliseconds=ended.duration_ms))
    event.extraction.CopyFrom(
        pb.ExtractionEvent(
            session_id=ended.session_id,
            extraction_id=ended.extraction_id,
            duration=None if failed else duration,
            facts_extracted=ended.facts,
            episodes_extracted=ended.episodes,
            triples_extracted=ended.triples,
            messages_processed=ended.messages,
            failed=failed,
            reason=ended.reason,
            will_retry=ended.will_retry,
        )
    )


def _llm_call(event: pb.Event, call: LlmCalled) -> None:
    event.llm_call.CopyFrom(
        pb.LlmCallEvent(
            purpose=pb.LlmPurpose.Value(f"LLM_PURPOSE_{call.purpose.upper()}"),
            model=call.model,
            duration_ms=call.duration_ms,
            max_tokens=call.max_tokens,
            temperature=call.temperature,
            success=call.success,
            prompt_tokens=call.prompt_tokens,
            completion_tokens=call.completion_tokens,
        )
    )


def _embedding_call(event: pb.Event, call: EmbeddingCalled) -> None:
    event.embedding_call.CopyFrom(
        pb.EmbeddingCallEvent(
            text_count=call.text_count,
            model=call.model,
            duration_ms=call.duration_ms,
            success=call.success,
        )
    )


def _digest(event: pb.Event, made: DigestMade) -> None:
    event.digest.CopyFrom(
        pb.DigestEvent(
            memories_analyzed=made.memories_analyzed, insights_generated=made.insights_generated
        )
    )


def _memory_changed(event: pb.Event, changed: MemoryChanged) -> None:
    event.memory_changed.CopyFrom(
        pb.MemoryChangedEvent(
            memory_id=changed.memory_id,
            change=pb.MemoryChange.Value(f"MEMORY_CHANGE_{changed.change.upper()}"),
            memory_type=memory_type_of(changed.memory_type),
            revision=changed.revision,
            superseded_by=changed.superseded_by,
        )
    )


_SHOW: Mapping[type, Callable[[pb.Event, Any], None]] = {
    ExtractionEnded: _extraction,
    LlmCalled: _llm_call,
    EmbeddingCalled: _embedding_call,
    DigestMade: _digest,
    MemoryChanged: _memory_changed,
}
