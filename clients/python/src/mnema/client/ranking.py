"""Ranking profiles: how signals and factors become a score."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class SignalWeight:
    """A signal's weight, -100 to 100, where things are short (chat) and where they are long.

    In between it goes over from one to the other, by the mean length of what is searched.
    """

    short: float
    long: float


@dataclass(frozen=True)
class FactorStrengths:
    """How much the factors of a recall count: 0 not at all, 1 in full."""

    recency: float = 0.0
    importance: float = 0.0
    graph_boost: float = 0.0


@dataclass(frozen=True)
class RankingProfile:
    """A named way to rank.

    A name is a small letter, then up to 62 small letters, digits, "_" and "-".
    """

    name: str
    signals: Mapping[str, SignalWeight] = field(default_factory=dict)
    """The weights by the names of signals; needed unless the fusion is "reciprocal_ranks"."""
    factors: FactorStrengths = FactorStrengths()
    description: str = ""
    fusion: Literal["signals", "reciprocal_ranks"] = "signals"
    """The weighted sum of signals, or the ranks by words and by meaning, fused."""
    updated_at: datetime | None = None
    """When it was stored; None for built-in ones. Ignored where it is stored."""
    built_in: bool = False
    """Whether it comes with the server and can't be changed. Ignored where it is stored."""
