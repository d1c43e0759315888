"""Settings: how memories are made, as tenants and users choose it."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal


class _Unchanged(Enum):
    UNCHANGED = "unchanged"


Unchanged = Literal[_Unchanged.UNCHANGED]
UNCHANGED: Final = _Unchanged.UNCHANGED
"""Leaves a setting as it is; None clears it, and the level before decides again."""


@dataclass(frozen=True)
class ExtractionStrategy:
    """When messages are extracted, and after how many a digest is made.

    The defaults are neuromem's. None leaves a setting as it is.
    """

    message_interval: int | None = 10
    """With how many pending messages of a session: 1 (each one) to 10,000; 0: never by number."""
    idle_timeout: float | None = 600.0
    """After how many seconds without a message: up to 30 days; 0: no pause does it."""
    on_session_close: bool | None = True
    """Whether closing the session does it."""
    reflection_interval: int | None = None
    """Extracted user messages after which a digest is made: 1 to 10,000; 0: never."""


@dataclass(frozen=True)
class Settings:
    """What is set at one level, or what holds there. None: not set."""

    auto_extract: bool | None = None
    """Whether messages are extracted by themselves."""
    graph_enabled: bool | None = None
    """Whether extraction looks for triples, and recall for facts of the graph."""
    reflection_interval: int | None = None
    """As in ExtractionStrategy, and so the three below."""
    message_interval: int | None = None
    idle_timeout: float | None = None
    on_session_close: bool | None = None


@dataclass(frozen=True)
class SettingsOfLevel:
    """The settings of a tenant or of a user."""

    settings: Settings
    """What is set there."""
    effective: Settings
    """What holds there: the user's choice, else the tenant's, else the server's."""
