"""What calls about the past return: rollbacks, and entries of a timeline.

All times are aware datetimes in UTC.
"""

from datetime import datetime
from typing import Literal, TypedDict

from mnema.client.graph import Edge
from mnema.client.models import ConversationMessage, Memory


class RollbackResult(TypedDict):
    """One rollback, and how much it changed."""

    rollback_id: str
    to_time: datetime
    """The moment that was brought back."""
    created_at: datetime
    """When it took place."""
    undoes: str | None
    """The rollback that this one undid."""
    memories_retracted: int
    """Among them those that give way to an earlier revision."""
    memories_restored: int
    """Each as a new revision."""
    edges_retracted: int
    edges_restored: int
    nodes_retracted: int
    nodes_restored: int
    key_values_retracted: int
    """The profile's among them."""
    key_values_restored: int
    emotion_profile_changed: bool


class TimelineEntry(TypedDict):
    """One entry of a timeline: the key of its kind holds it, the others are None."""

    kind: Literal["memory", "message", "edge"]
    event_time: datetime
    """When it happened, became true or was said; or else when it was first stored."""
    memory: Memory | None
    message: ConversationMessage | None
    edge: Edge | None
