"""An update's mask and values as what it changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mnema.v1 import types_pb2
from services.contract.convert_memory import new_memory_of
from services.runtime.errors import FieldViolation, InvalidArgument, invalid

# A path of the mask is the name of NewMemory's field.
CORRECTABLE = (
    "content",
    "memory_type",
    "importance",
    "emotion",
    "confidence",
    "event_at",
    "tags",
    "metadata",
)


def correction_of(memory: types_pb2.Memory, paths: Sequence[str]) -> Mapping[str, Any]:
    """The new values by NewMemory's field; what the mask names and the memory lacks is cleared.

    InvalidArgument: FIELD_MASK_INVALID for a path that can't be updated; FIELD_REQUIRED for
    an empty mask, or a content or type that would be cleared.
    """
    if not paths:
        raise invalid("update_mask", "names no field", "FIELD_REQUIRED")
    wrong = [path for path in paths if path not in CORRECTABLE]
    if wrong:
        allowed = ", ".join(CORRECTABLE)
        reason = "FIELD_MASK_INVALID"
        raise InvalidArgument(
            [
                FieldViolation("update_mask", f"{path!r} can't be updated, only {allowed}", reason)
                for path in wrong
            ]
        )
    if "content" in paths and not memory.content.strip():
        raise invalid("memory.content", "must not be empty", "FIELD_REQUIRED")
    if "memory_type" in paths and not memory.memory_type:
        raise invalid("memory.memory_type", "is required", "FIELD_REQUIRED")
    given = new_memory_of(memory)
    if not memory.HasField("confidence"):
        given = replace(given, confidence=None)  # the default is for new memories
    return {path: getattr(given, path) for path in paths}
