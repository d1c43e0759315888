"""Memories as values: one that is to be remembered, and a revision as the table has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.text.units import is_one_unit

Embedding = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Emotion:
    """An emotion as it was expressed: valence −1 to 1, arousal 0 to 1, and a word for it."""

    valence: float
    arousal: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class NewMemory:
    """What is to be remembered.

    `slot` names what it replaces (empty: nothing); `event_at` is when it was true or
    happened, None if unknown; `vector` is the embedding of `content`, None if it is yet to be
    made. A content of several passages needs one of each: its `vector` is not used.
    `importance` is 1 to 10, `confidence` 0 to 1.
    """

    memory_type: str
    content: str
    importance: int | None = None
    confidence: float | None = None
    emotion: Emotion | None = None
    slot: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source_message_ids: tuple[UUID, ...] = ()
    source_memory_ids: tuple[UUID, ...] = ()
    extraction_id: UUID | None = None
    event_at: datetime | None = None
    vector: Embedding | None = None

    @property
    def awaits_vectors(self) -> bool:
        """Whether an embedding job has to follow (jobs.EMBED)."""
        return self.vector is None or not is_one_unit(self.content)


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One revision of a memory, as it is stored."""

    item_id: UUID
    memory_id: UUID
    revision: int
    memory_type: str
    content: str
    importance: int | None
    confidence: float | None
    emotion: Emotion | None
    slot: str
    category: str
    tags: tuple[str, ...]
    entities: tuple[str, ...]
    metadata: Mapping[str, Any]
    source_message_ids: tuple[UUID, ...]
    source_memory_ids: tuple[UUID, ...]
    extraction_id: UUID | None
    event_at: datetime | None
    first_recorded_at: datetime
    recorded_at: datetime
    retracted_at: datetime | None
    retracted_reason: str
    superseded_by: UUID | None
    last_refreshed_at: datetime


_STORED_OTHERWISE = {"emotion": "emotion_valence, emotion_arousal, emotion_label"}
COLUMNS = ", ".join(_STORED_OTHERWISE.get(each.name, each.name) for each in fields(MemoryRow))
_TUPLES = ("tags", "entities", "source_message_ids", "source_memory_ids")


def memory_row(row: Mapping[str, Any]) -> MemoryRow:
    """The revision in a row of COLUMNS."""
    columns = dict(row)
    valence = columns.pop("emotion_valence")
    arousal = columns.pop("emotion_arousal")
    label = columns.pop("emotion_label")
    emotion = None if valence is None else Emotion(valence, arousal or 0.0, label or "")
    for name in _TUPLES:
        columns[name] = tuple(columns[name])
    return MemoryRow(**columns, emotion=emotion)
