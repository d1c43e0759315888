"""The model's answer, checked.

Two kinds of trouble are told apart. What is wrong with the shape (a missing content, a text where a
list belongs, too many or too long items) rejects the whole answer: the job is retried, and nothing
is lost in silence. What is only decoration or bookkeeping is mended: numbers are brought into
range, a bad emotion is dropped, an unknown relation becomes CUSTOM under its own name, an unknown
type becomes the general one, a time that cannot be read becomes None.
"""

import math
import re
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
)

from services.ingest.extraction.model import (
    EDGE_TYPES,
    FAVORITE_SLOT,
    MEMORY_TYPES,
    NODE_TYPES,
    SLOTS,
    Emotion,
    node_id_of,
)
from services.providers.llm.answers import json_object
from services.providers.llm.base import MalformedAnswer

MAX_ITEMS = 200
MAX_CONTENT = 4_000
MAX_NAME = 200

Content = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_CONTENT)
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME)]
ProfileKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
_ENTITY_TYPES = frozenset(NODE_TYPES) - {"MEMORY"}


def _within(low: float, high: float) -> Callable[[object], object]:
    def clamp(value: object) -> object:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return min(max(value, low), high)
        return value

    return clamp


def _importance(value: object) -> object:
    clamped = _within(1, 10)(value)
    return round(clamped) if isinstance(clamped, float) else clamped


def _one_of(allowed: frozenset[str], otherwise: str) -> Callable[[object], object]:
    def known(value: object) -> object:
        if not isinstance(value, str):
            return value
        return next((each for each in (value, value.upper()) if each in allowed), otherwise)

    return known


def _slot(value: object) -> object:
    if not isinstance(value, str):
        return value
    slot = node_id_of(value)
    return slot if slot in SLOTS or slot.startswith(FAVORITE_SLOT) else None


def _emotion(value: object) -> object:
    try:
        return EmotionAnswer.model_validate(value)
    except ValidationError:
        return None


Importance = Annotated[int, BeforeValidator(_importance), Field(ge=1, le=10)]
Confidence = Annotated[float, BeforeValidator(_within(0.0, 1.0)), Field(ge=0, le=1)]


class _Answer(BaseModel):
    # Extra keys are ignored: models add remarks, and they do no harm.
    model_config = ConfigDict(frozen=True, extra="ignore")


class EmotionAnswer(_Answer):
    """A feeling; out-of-range numbers are an error here, and the emotion is dropped."""

    valence: float = Field(ge=-1, le=1)
    arousal: float = Field(ge=0, le=1)
    label: str = Field(min_length=1, max_length=40)

    def value(self) -> Emotion:
        """As the domain has it."""
        return Emotion(self.valence, self.arousal, self.label.strip().lower())


class EntityAnswer(_Answer):
    """A named thing."""

    name: Name
    type: Annotated[str, BeforeValidator(_one_of(frozenset(NODE_TYPES) - {"MEMORY"}, "ENTITY"))] = (
        "ENTITY"
    )


class _MemoryAnswer(_Answer):
    content: Content
    importance: Importance = 5
    confidence: Confidence = 0.8
    emotion: Annotated[EmotionAnswer | None, BeforeValidator(_emotion)] = None
    entities: list[EntityAnswer] = Field(default_factory=list, max_length=50)
    sources: list[int] = Field(default_factory=list, max_length=1_000)


class FactAnswer(_MemoryAnswer):
    """A stable statement."""

    type: Annotated[
        str, BeforeValidator(_one_of(MEMORY_TYPES - {"episodic", "insight"}, "general"))
    ] = "fact"
    subject: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_NAME)] = ""
    category: Annotated[str, StringConstraints(max_length=64)] | None = None
    slot: Annotated[str | None, BeforeValidator(_slot)] = None


class EpisodeAnswer(_MemoryAnswer):
    """Something that happened. The times are read later: a wrong one does not reject."""

    event_at: str | None = None
    event_text: str | None = None


class TripleAnswer(_Answer):
    """A relation between two named things."""

    subject: EntityAnswer
    relation: Name
    custom_relation: Annotated[str, StringConstraints(max_length=MAX_NAME)] | None = None
    object: EntityAnswer
    content: Content
    confidence: Confidence = 0.8
    valid_from: str | None = None
    valid_to: str | None = None
    ended: bool = False
    sources: list[int] = Field(default_factory=list, max_length=1_000)

    def edge(self) -> tuple[str, str | None]:
        """The edge type, and the relation's own name when the type is CUSTOM."""
        relation = re.sub(r"[\s-]+", "_", self.relation).upper()
        if relation in EDGE_TYPES and relation != "CUSTOM":
            return relation, None
        own_name = self.custom_relation or (self.relation if relation != "CUSTOM" else "")
        return ("CUSTOM", node_id_of(own_name)) if own_name.strip() else ("RELATED_TO", None)


class ProfileAnswer(_Answer):
    """A change of the user's profile."""

    key: ProfileKey
    value: JsonValue
    mode: Literal["set", "append"]
    sources: list[int] = Field(default_factory=list, max_length=1_000)


class ExtractionAnswer(_Answer):
    """The whole answer. A key that is missing is an empty list."""

    facts: list[FactAnswer] = Field(default_factory=list, max_length=MAX_ITEMS)
    episodes: list[EpisodeAnswer] = Field(default_factory=list, max_length=MAX_ITEMS)
    triples: list[TripleAnswer] = Field(default_factory=list, max_length=MAX_ITEMS)
    profile_updates: list[ProfileAnswer] = Field(default_factory=list, max_length=MAX_ITEMS)


def parse_answer(text: str) -> ExtractionAnswer:
    """The checked answer. Raises MalformedAnswer: no JSON, none of the keys, or a wrong shape."""
    value = json_object(text)
    if not value.keys() & ExtractionAnswer.model_fields.keys():
        raise MalformedAnswer("the model's answer has none of the keys asked for", text)
    try:
        return ExtractionAnswer.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MalformedAnswer(
            f"the model's answer does not fit: {where}: {first['msg']} "
            f"({error.error_count()} such)",
            text,
        ) from error
