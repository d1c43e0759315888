"""Memories one by one, and as results of a search."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mnema.client._convert.json_values import dict_of, struct_of
from mnema.client._convert.names import MEMORY_TYPES, texts
from mnema.client._convert.times import moment_of, optional_moment, timestamp_of
from mnema.client.models import Emotion, Memory
from mnema.v1 import types_pb2

EmotionGiven = Emotion | Mapping[str, Any]

_FEELING = {"valence", "arousal", "label"}


@dataclass(frozen=True)
class MemoryFields:
    """What a caller may say of a memory; None: says nothing of it."""

    content: str | None = None
    memory_type: str | None = None
    importance: int | None = None
    emotion: EmotionGiven | None = None
    confidence: float | None = None
    event_at: datetime | None = None
    slot: str | None = None
    tags: list[str] | tuple[str, ...] | None = None
    metadata: Mapping[str, Any] | None = None

    def lifted(self) -> "MemoryFields":
        """With importance and emotion of the metadata in the fields that count; what these have
        already stays.

        The metadata are where neuromem keeps them, and where `memory_metadata` shows them. What
        could be neither stays there.
        """
        metadata = dict(self.metadata or {})
        found: dict[str, Any] = {}
        if _is_importance(metadata.get("importance")):
            found["importance"] = metadata.pop("importance")
        if _is_emotion(metadata.get("emotion")):
            found["emotion"] = metadata.pop("emotion")
        if not found:
            return self
        given = {name: value for name in found if (value := getattr(self, name)) is not None}
        return replace(self, metadata=metadata, **found | given)

    def message(self, user_id: str = "", memory_id: str = "") -> types_pb2.Memory:
        """What was said, as the contract has it."""
        return types_pb2.Memory(
            user_id=user_id,
            memory_id=memory_id,
            content=self.content or "",
            memory_type=self._memory_type(),
            importance=self.importance,
            emotion=_emotion_message(self.emotion),
            confidence=self.confidence,
            event_at=timestamp_of(self.event_at),
            slot=self.slot or "",
            tags=texts(self.tags),
            metadata=struct_of(self.metadata),
        )

    def _memory_type(self) -> types_pb2.MemoryType.ValueType:
        if self.memory_type is None:
            return types_pb2.MEMORY_TYPE_UNSPECIFIED
        return MEMORY_TYPES.number(self.memory_type)

    def names(self) -> list[str]:
        """The fields of which something was said."""
        return [name for name in self.__dataclass_fields__ if getattr(self, name) is not None]


def memory_of(memory: types_pb2.Memory) -> Memory:
    """A memory as callers see it."""
    return Memory(
        id=memory.memory_id,
        user_id=memory.user_id,
        memory_type=MEMORY_TYPES.name(memory.memory_type),
        content=memory.content,
        created_at=moment_of(memory.created_at),
        updated_at=moment_of(memory.updated_at),
        importance=memory.importance if memory.HasField("importance") else None,
        emotion=_emotion_of(memory),
        confidence=memory.confidence if memory.HasField("confidence") else None,
        event_at=optional_moment(memory, "event_at"),
        slot=memory.slot or None,
        tags=tuple(memory.tags),
        metadata=memory_metadata(memory),
        category=memory.category or None,
        source_message_ids=tuple(memory.source_message_ids),
        source_memory_ids=tuple(memory.source_memory_ids),
        revision=memory.revision,
        retracted_at=optional_moment(memory, "retracted_at"),
        superseded_by=memory.superseded_by or None,
        last_refreshed_at=optional_moment(memory, "last_refreshed_at"),
        access_count=memory.access_count,
        last_accessed_at=optional_moment(memory, "last_accessed_at"),
        retracted_reason=memory.retracted_reason or None,
    )


def memory_metadata(memory: types_pb2.Memory) -> dict[str, Any]:
    """The caller's own data, and over it the importance and the emotion where they are known."""
    metadata = dict_of(memory.metadata)
    if memory.HasField("importance"):
        metadata["importance"] = memory.importance
    if memory.HasField("emotion"):
        metadata["emotion"] = {
            "valence": memory.emotion.valence,
            "arousal": memory.emotion.arousal,
            "label": memory.emotion.label,
        }
    return metadata


def _is_importance(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10


def _is_emotion(value: object) -> bool:
    if isinstance(value, Emotion):
        return True
    return isinstance(value, Mapping) and "valence" in value and not set(value) - _FEELING


def _emotion_of(memory: types_pb2.Memory) -> Emotion | None:
    if not memory.HasField("emotion"):
        return None
    return Emotion(memory.emotion.valence, memory.emotion.arousal, memory.emotion.label)


def _emotion_message(given: EmotionGiven | None) -> types_pb2.Emotion | None:
    if given is None:
        return None
    if isinstance(given, Emotion):
        return types_pb2.Emotion(valence=given.valence, arousal=given.arousal, label=given.label)
    unknown = sorted(set(given) - _FEELING)
    if unknown:
        raise ValueError(f"an emotion has no {unknown[0]!r}: it has valence, arousal, label")
    return types_pb2.Emotion(
        valence=given.get("valence", 0.0),
        arousal=given.get("arousal", 0.0),
        label=given.get("label") or "",
    )
