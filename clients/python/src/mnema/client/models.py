"""What calls return, where it has attributes: messages, memories, files, accounts.

All times are aware datetimes in UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class ConversationMessage:
    """One message of a conversation, as it was said."""

    id: str
    session_id: str
    role: str
    """Who said it: "user", "assistant", "system" or "tool"."""
    content: str
    created_at: datetime
    """When it was stored."""
    user_id: str = ""
    speaker: str | None = None
    """The name of who said it, where it is known."""
    said_at: datetime | None = None
    """When it was said: what the caller gave, or else when it was stored."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    sequence: int = 0
    """Its place in its session: 1, 2, 3, … without gaps."""
    extraction_state: str = "pending"
    """"pending", "running", "done", "failed", or "skipped" (by a server set up not to extract)."""


@dataclass(frozen=True)
class MessageReceipt:
    """Says that one message of a stream is committed."""

    id: str
    session_id: str
    sequence: int
    """Its place in its session."""
    created_at: datetime
    """When it was stored."""
    request_id: str
    """What it was sent with: the same message sent again under it is not stored again."""


@dataclass(frozen=True)
class ConversationSession:
    """One conversation."""

    session_id: str
    message_count: int
    created_at: datetime
    updated_at: datetime
    user_id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    last_message_at: datetime | None = None
    """None while it is empty."""
    closed_at: datetime | None = None
    """None while it is open."""


@dataclass(frozen=True)
class IngestStatus:
    """How much of what a user said is not in memory yet."""

    pending_messages: int
    """Messages that no extraction has dealt with yet."""
    running_extractions: int
    """Extractions that are running or will be tried again."""
    failed_extractions: int
    """Extractions that failed for good: see `list_extractions`, `retry_failed_extractions`."""
    pending_embeddings: int
    """Items without an embedding yet: found by their words, not by their meaning."""

    @property
    def settled(self) -> bool:
        """Whether nothing is on its way any more. Failed extractions don't come by themselves."""
        return not (self.pending_messages or self.running_extractions or self.pending_embeddings)


@dataclass(frozen=True)
class Extraction:
    """One run of the extractor over some messages of one session."""

    id: str
    session_id: str
    state: str
    """As ConversationMessage.extraction_state."""
    attempts: int
    messages_processed: int
    facts_extracted: int
    episodes_extracted: int
    triples_extracted: int
    extractor: str
    """"local", or the LLM's name."""
    created_at: datetime
    finished_at: datetime | None
    duration: float
    """How long the attempt that succeeded took, in seconds."""
    error: str | None = None
    """What went wrong the last time."""
    error_reason: str | None = None


@dataclass(frozen=True)
class Emotion:
    """An emotion as it was expressed."""

    valence: float
    """-1 (very unpleasant) to 1 (very pleasant)."""
    arousal: float
    """0 (calm) to 1 (very stirred)."""
    label: str = ""
    """A word for it, such as "happy": at most 64 characters."""


@dataclass(frozen=True)
class Memory:
    """One thing that is remembered."""

    id: str
    user_id: str
    memory_type: str
    """"fact", "episodic", "insight", "general", "preference", "decision", "todo", "context",
    "instruction", "error", "workflow" or "reference"."""
    content: str
    created_at: datetime
    """When its first revision was stored."""
    updated_at: datetime
    """When this revision was stored."""
    importance: int | None = None
    """1 to 10. None counts as 5."""
    emotion: Emotion | None = None
    confidence: float | None = None
    """0 to 1."""
    event_at: datetime | None = None
    """When it was true or happened, where that is known."""
    slot: str | None = None
    """What a newer memory of the same slot replaces, such as "caroline/location"."""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    category: str | None = None
    """"pattern" or "summary" for an insight, the extractor's category for a fact."""
    source_message_ids: tuple[str, ...] = ()
    source_memory_ids: tuple[str, ...] = ()
    """The memories that an insight rests on."""
    revision: int = 1
    """Rises with every correction."""
    retracted_at: datetime | None = None
    """When it was replaced, corrected or deleted; None while it stands."""
    superseded_by: str | None = None
    """The memory that took its slot."""
    last_refreshed_at: datetime | None = None
    """When the same fact was last said again."""
    access_count: int = 0
    last_accessed_at: datetime | None = None
    retracted_reason: str | None = None
    """"superseded", "updated", "deleted", "ended" or "rolled_back"; None while it stands."""


@dataclass(frozen=True)
class Document:
    """What is known of a file."""

    id: str
    user_id: str
    filename: str
    file_type: str
    """"txt", "md", "json", "csv", "pdf", "docx" or "image"."""
    mime_type: str
    size_bytes: int
    sha256: str
    """Of its bytes, in hexadecimal."""
    category: str
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    source_type: str
    """"upload" or "text"."""
    chunk_count: int
    """How many pieces its text was cut into; 0 for images."""
    created_at: datetime

    @property
    def file_size(self) -> int:
        """size_bytes, by the name that neuromem has for it."""
        return self.size_bytes


@dataclass(frozen=True)
class Tenant:
    """Somebody who runs agents."""

    tenant_id: str
    name: str
    created_at: datetime


@dataclass(frozen=True)
class NewTenant:
    """A tenant that was just made."""

    tenant: Tenant
    api_key: str | None = field(repr=False)
    """The secret of its first key, shown this once. None if the answer to the first attempt was
    lost and the tenant came with the second: make a key with `create_key`."""


@dataclass(frozen=True)
class User:
    """Somebody whose memory is kept."""

    user_id: str
    created_at: datetime


@dataclass(frozen=True)
class NewUser:
    """A user that was just made."""

    user: User
    api_key: str = field(repr=False)
    """The secret of a key for this user, shown this once."""


@dataclass(frozen=True)
class ApiKey:
    """An API key, without its secret."""

    key_id: str
    kind: str
    """"admin", "tenant" or "user"."""
    prefix: str
    """The first characters of the secret, to know it by."""
    created_at: datetime
    name: str = ""
    tenant_id: str | None = None
    user_id: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True)
class NewApiKey:
    """An API key that was just made."""

    key: ApiKey
    secret: str = field(repr=False)
    """Shown this once."""


@dataclass(frozen=True)
class Event:
    """Something that happened to memory. Holds no text of a user."""

    cursor: str
    """The place behind it: list or watch from here."""
    id: str
    user_id: str
    """Whom it happened to; empty for a call that was made for no user."""
    type: str
    """"extraction", "llm_call", "embedding_call", "digest" or "memory_changed"."""
    recorded_at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    """What the contract's message for the type has, by its names; a "duration" is in seconds."""
