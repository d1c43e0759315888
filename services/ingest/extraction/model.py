"""What goes into an extraction and what comes out: plain values, no storage, no wire format."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias
from uuid import UUID

from services.storage.relations import EDGE_TYPES, NODE_TYPES, node_id_of

# The graph's words are storage's; whoever extracts finds them here beside the rest.
__all__ = [
    "EDGE_TYPES",
    "MEMORY_TYPES",
    "NODE_TYPES",
    "SLOTS",
    "TASTE",
    "ConversationBatch",
    "Emotion",
    "EntityRef",
    "ExtractedMemory",
    "ExtractedTriple",
    "Extraction",
    "Extractor",
    "JsonValue",
    "ProfileUpdate",
    "SourceMessage",
    "node_id_of",
    "slot_of",
]

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

MEMORY_TYPES = frozenset(
    {
        "fact",
        "episodic",
        "insight",
        "general",
        "preference",
        "decision",
        "todo",
        "context",
        "instruction",
        "error",
        "workflow",
        "reference",
    }
)
# Of a fact that says what somebody likes or not: a lasting statement, and still told apart.
TASTE = "preference"
# What a person has one of at a time. Beside these, "favorite_<thing>".
SLOTS = frozenset(
    {
        "name",
        "age",
        "birthday",
        "birthplace",
        "location",
        "employer",
        "occupation",
        "partner",
        "diet",
    }
)
FAVORITE_SLOT = "favorite_"


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """One message of a conversation. `said_at` is timezone-aware; `speaker` is a display name."""

    message_id: UUID
    seq: int
    role: str
    speaker: str | None
    content: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class ConversationBatch:
    """Messages of one session, in order. `timezone` is an IANA name: "last week" is meant in it.

    Without `triples` nobody asks for relations.
    """

    user_id: str
    session_id: str
    messages: tuple[SourceMessage, ...]
    timezone: str = "UTC"
    triples: bool = True


@dataclass(frozen=True, slots=True)
class Emotion:
    """A feeling that was expressed: valence -1 (bad) to 1 (good), arousal 0 (calm) to 1."""

    valence: float
    arousal: float
    label: str


@dataclass(frozen=True, slots=True)
class EntityRef:
    """A node of the graph: the name as written and its type, one of NODE_TYPES."""

    name: str
    node_type: str

    @property
    def node_id(self) -> str:
        """The name in lower_snake form: with the type, the identity of the node."""
        return node_id_of(self.name)


def slot_of(subject: EntityRef, name: str) -> str:
    """The slot of one subject: "caroline/location"."""
    return f"{subject.node_id}/{name}"


@dataclass(frozen=True, slots=True)
class ExtractedMemory:
    """One self-contained sentence worth keeping.

    `importance` is 1 to 10, `confidence` 0 to 1 (how sure it is that this was meant). `event_at`
    is the start of the period it happened in, None when nothing was said. `slot` is set only for
    what has one value at a time ("caroline/location"): a new holder supersedes the old one.
    """

    memory_type: str
    content: str
    importance: int
    confidence: float
    emotion: Emotion | None = None
    event_at: datetime | None = None
    entities: tuple[EntityRef, ...] = ()
    slot: str | None = None
    category: str | None = None
    source_message_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtractedTriple:
    """subject -relation-> object, with the sentence that says it.

    `relation` is one of EDGE_TYPES; CUSTOM carries `custom_relation` ("likes"). `ended` says that
    it held once and no longer does ("left Google"); `valid_to` is then the end, if it was said.
    """

    subject: EntityRef
    relation: str
    custom_relation: str | None
    object: EntityRef
    content: str
    confidence: float
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    ended: bool = False
    source_message_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileUpdate:
    """A change of the user's profile: "set" replaces the key's value, "append" adds to its list."""

    key: str
    value: JsonValue
    mode: Literal["set", "append"]
    source_message_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class LlmUsage:
    """What the extraction cost: tokens as the provider counted them (0 when it did not say)."""

    model: str
    prompt_tokens: int
    completion_tokens: int
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Extraction:
    """Everything found in one batch. `usage` is None when no model was asked."""

    memories: tuple[ExtractedMemory, ...] = ()
    triples: tuple[ExtractedTriple, ...] = ()
    profile_updates: tuple[ProfileUpdate, ...] = ()
    usage: LlmUsage | None = None


class Extractor(Protocol):
    """Finds what is worth remembering in a piece of conversation."""

    @property
    def name(self) -> str:
        """A short name for logs and provenance ("local", "llm:gpt-4o-mini")."""
        ...

    async def extract(self, batch: ConversationBatch) -> Extraction:
        """Read one batch. Raises a MnemaError when it could not; never returns half a result."""
        ...
