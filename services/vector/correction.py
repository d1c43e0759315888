"""What an update of a memory changes: the fields of its mask, and no other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mnema.v1 import types_pb2

from services.contract.convert_memory import new_memory_of
from services.runtime.errors import FieldViolation, InvalidArgument, invalid
from services.storage.memories import MemoryRow, NewMemory

Change = Callable[[NewMemory, NewMemory], NewMemory]

# By the mask's path: the first one with that value of the second.
_CHANGES: Mapping[str, Change] = {
    "content": lambda old, new: replace(old, content=new.content),
    "memory_type": lambda old, new: replace(old, memory_type=new.memory_type),
    "importance": lambda old, new: replace(old, importance=new.importance),
    "emotion": lambda old, new: replace(old, emotion=new.emotion),
    "confidence": lambda old, new: replace(old, confidence=new.confidence),
    "event_at": lambda old, new: replace(old, event_at=new.event_at),
    "tags": lambda old, new: replace(old, tags=new.tags),
    "metadata": lambda old, new: replace(old, metadata=new.metadata),
}


def check_correction(memory: types_pb2.Memory, paths: Sequence[str]) -> None:
    """InvalidArgument unless the mask names fields that can be updated, with values for them.

    Reasons: FIELD_MASK_INVALID for a path; FIELD_REQUIRED for an empty mask, or a content
    or type that the mask names and the memory lacks.
    """
    if not paths:
        raise invalid("update_mask", "names no field", "FIELD_REQUIRED")
    wrong = [path for path in paths if path not in _CHANGES]
    if wrong:
        allowed = ", ".join(_CHANGES)
        raise InvalidArgument(
            [
                FieldViolation(
                    "update_mask",
                    f"{path!r} can't be updated, only {allowed}",
                    "FIELD_MASK_INVALID",
                )
                for path in wrong
            ]
        )
    if "content" in paths and not memory.content.strip():
        raise invalid("memory.content", "must not be empty", "FIELD_REQUIRED")
    if "memory_type" in paths and not memory.memory_type:
        raise invalid("memory.memory_type", "is required", "FIELD_REQUIRED")


def corrected(present: MemoryRow, memory: types_pb2.Memory, paths: Sequence[str]) -> NewMemory:
    """The present revision with the named fields of `memory`; what that leaves unset is cleared."""
    given = new_memory_of(memory)
    if not memory.HasField("confidence"):
        given = replace(given, confidence=None)
    changed = _as_it_is(present)
    for path in paths:
        changed = _CHANGES[path](changed, given)
    return changed


def _as_it_is(row: MemoryRow) -> NewMemory:
    return NewMemory(
        memory_type=row.memory_type,
        content=row.content,
        importance=row.importance,
        confidence=row.confidence,
        emotion=row.emotion,
        slot=row.slot,
        category=row.category,
        tags=row.tags,
        entities=row.entities,
        metadata=row.metadata,
        source_message_ids=row.source_message_ids,
        source_memory_ids=row.source_memory_ids,
        extraction_id=row.extraction_id,
        event_at=row.event_at,
    )
