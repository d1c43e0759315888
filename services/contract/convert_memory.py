"""Memories: the contract's form and the storage's."""

from collections.abc import Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1 import types_pb2
from mnema.v1.types_pb2 import MemoryType
from services.contract.convert_message import datetime_of, timestamp_of
from services.contract.json_values import struct_dict, struct_of
from services.storage.memory_accesses import Access
from services.storage.memory_rows import Emotion, MemoryRow, NewMemory

_PREFIX = "MEMORY_TYPE_"
DEFAULT_TYPE = "general"


def memory_type_name(kind: "MemoryType.ValueType") -> str:
    """The storage's name of a type ("fact"); empty for UNSPECIFIED."""
    if kind == MemoryType.MEMORY_TYPE_UNSPECIFIED:
        return ""
    return MemoryType.Name(kind).removeprefix(_PREFIX).lower()


def memory_type_names(kinds: Iterable["MemoryType.ValueType"]) -> tuple[str, ...]:
    """The names of the types to filter by; UNSPECIFIED filters nothing."""
    return tuple(memory_type_name(kind) for kind in kinds if kind)


def memory_type_of(name: str) -> "MemoryType.ValueType":
    """The contract's value of a type's name."""
    return MemoryType.Value(_PREFIX + name.upper())


def new_memory_of(memory: types_pb2.Memory) -> NewMemory:
    """What a caller gives to be remembered, without its embedding; output-only fields are ignored.

    Its confidence, if none is given, is 1.
    """
    return NewMemory(
        memory_type=memory_type_name(memory.memory_type) or DEFAULT_TYPE,
        content=memory.content,
        importance=memory.importance if memory.HasField("importance") else None,
        confidence=memory.confidence if memory.HasField("confidence") else 1.0,
        emotion=emotion_of(memory),
        slot=memory.slot,
        tags=tuple(dict.fromkeys(memory.tags)),
        metadata=struct_dict(memory.metadata),
        event_at=datetime_of(memory.event_at) if memory.HasField("event_at") else None,
    )


def emotion_of(memory: types_pb2.Memory) -> Emotion | None:
    """The emotion given with a memory, or None."""
    if not memory.HasField("emotion"):
        return None
    given = memory.emotion
    return Emotion(given.valence, given.arousal, given.label)


def memory_of(row: MemoryRow, user_id: str, access: Access | None = None) -> types_pb2.Memory:
    """A stored revision of a memory of `user_id`, as the contract shows it."""
    emotion = row.emotion
    return types_pb2.Memory(
        memory_id=str(row.memory_id),
        user_id=user_id,
        memory_type=memory_type_of(row.memory_type),
        content=row.content,
        importance=row.importance,
        emotion=types_pb2.Emotion(
            valence=emotion.valence, arousal=emotion.arousal, label=emotion.label
        )
        if emotion
        else None,
        confidence=row.confidence,
        event_at=_stamp(row.event_at),
        slot=row.slot,
        tags=row.tags,
        metadata=struct_of(row.metadata) if row.metadata else None,
        source_message_ids=[str(each) for each in row.source_message_ids],
        revision=row.revision,
        created_at=_stamp(row.first_recorded_at),
        updated_at=_stamp(row.recorded_at),
        retracted_at=_stamp(row.retracted_at),
        superseded_by=str(row.superseded_by) if row.superseded_by else "",
        last_refreshed_at=_stamp(row.last_refreshed_at),
        access_count=access.count if access else 0,
        last_accessed_at=_stamp(access.last_at if access else None),
        source_memory_ids=[str(each) for each in row.source_memory_ids],
        category=row.category,
        retracted_reason=row.retracted_reason,
    )


def _stamp(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else timestamp_of(moment)
