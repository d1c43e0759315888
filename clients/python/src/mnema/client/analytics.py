"""What calls return that look at a memory as a whole.

Times are aware datetimes in UTC.
"""

from datetime import datetime
from typing import Any, Literal, TypedDict

from mnema.client.results import EmotionProfile, GraphResult


class WeekCount(TypedDict):
    """How many memories were first stored in a week."""

    week: str
    """The ISO week in UTC, such as "2026-W47"."""
    count: int


class PendingWork(TypedDict):
    """What waits to be done."""

    messages: int
    extractions: int
    failed_extractions: int
    embeddings: int


class ProfileSummary(TypedDict):
    """What is known of a user in short."""

    profile: dict[str, Any]
    """The values under the namespace "profile"."""
    emotion_profile: EmotionProfile | None
    """None before the first digest."""
    insight_count: int
    last_reflected_at: datetime | None


class Stats(TypedDict):
    """What a user's memory holds."""

    total: int
    by_type: dict[str, int]
    by_week: list[WeekCount]
    """The oldest first; weeks without memories are left out."""
    active_entities: int
    """People, places and things that the graph knows."""
    profile_summary: ProfileSummary | None
    """None while nothing is known of the user."""
    graph_nodes: int
    graph_edges: int
    """Those that are true."""
    messages: int
    sessions: int
    documents: int
    pending: PendingWork


class ColdMemory(TypedDict):
    """A memory that recall has not returned for long."""

    id: str
    content: str
    memory_type: str
    metadata: dict[str, Any]
    """The caller's own, and over it "importance" and "emotion" where they are known."""
    created_at: datetime
    access_count: int
    last_accessed_at: datetime | None
    """None: recall has never returned it."""
    event_at: datetime | None
    category: str | None
    tags: list[str]


class EntityFact(TypedDict):
    """A memory about an entity."""

    id: str
    content: str
    memory_type: str
    metadata: dict[str, Any]
    created_at: datetime
    event_at: datetime | None
    source_message_ids: list[str]


class EntityMessage(TypedDict):
    """A message that names an entity."""

    id: str
    role: str
    content: str
    session_id: str
    created_at: datetime
    speaker: str | None
    said_at: datetime | None


class EntityEvent(TypedDict):
    """One thing in the order of time."""

    type: Literal["memory", "conversation", "graph"]
    content: str
    time: datetime
    id: str


class EntityProfile(TypedDict):
    """What is known of an entity."""

    entity: str
    facts: list[EntityFact]
    graph_relations: list[GraphResult]
    conversations: list[EntityMessage]
    timeline: list[EntityEvent]
    """All of them by time, the oldest first."""
    names: list[str]
    """What it was looked for by."""


class EmbeddingCacheStats(TypedDict):
    """What a server's embedding cache held when it was cleared."""

    entries: int
    capacity: int
    hits: int
    """Texts found in it since the server started."""
    misses: int
    model: str
