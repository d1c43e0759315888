"""What a user's memory is to be, now and at every moment of the past: a model of two times.

The model keeps the present as plain dicts and remembers it whole at every moment: nothing of the
rules by which rows are revised, retracted and brought back.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.storage.memories import Remembered

Edge = tuple[str, str, str]


class Told(NamedTuple):
    """What is said of a memory, or known of it."""

    content: str
    slot: str = ""
    event_at: datetime | None = None
    importance: int | None = None
    sources: tuple[UUID, ...] = ()


SINGLE = frozenset({"LIVES_IN", "BORN_IN"})


@dataclass(frozen=True)
class Known:
    """All that is known at one moment: memories by id, values by key, true edges."""

    memories: frozenset[tuple[UUID, str, str, int | None, tuple[UUID, ...]]]
    values: frozenset[tuple[str, str, str]]
    edges: frozenset[Edge]


@dataclass
class Model:
    """The present, and every moment that was noted."""

    memories: dict[UUID, Told] = field(default_factory=dict)
    values: dict[tuple[str, str], str] = field(default_factory=dict)
    edges: set[Edge] = field(default_factory=set)
    moments: list[tuple[datetime, Known]] = field(default_factory=list)
    _kept: list[dict[str, Any]] = field(default_factory=list)
    rollbacks: list[tuple[UUID, dict[str, Any]]] = field(default_factory=list)

    def known(self) -> Known:
        """The present."""
        return Known(
            frozenset(
                (key, row.content, row.slot, row.importance, row.sources)
                for key, row in self.memories.items()
            ),
            frozenset((space, key, value) for (space, key), value in self.values.items()),
            frozenset(self.edges),
        )

    def note(self, moment: datetime) -> None:
        """Remembers the present as that of a moment."""
        self.moments.append((moment, self.known()))
        self._kept.append(self._copy())

    def outcome(self, told: Told) -> str:
        """What is to become of a memory that is told now."""
        if any(_says(row, told) for row in self.memories.values()):
            return "refreshed"
        holder = self.holder(told.slot)
        if holder is None:
            return "added"
        since = self.memories[holder].event_at
        if told.event_at is not None and (since is None or told.event_at < since):
            return "historical"
        return "superseding"

    def holder(self, slot: str) -> UUID | None:
        """Who holds a slot."""
        return next((key for key, row in self.memories.items() if slot and row.slot == slot), None)

    def remember(self, told: Told, remembered: Remembered) -> None:
        """Takes in a memory; the outcome has to be the one that is expected."""
        outcome = self.outcome(told)
        assert remembered.outcome == outcome, (told, remembered, outcome)
        if outcome == "refreshed":
            self._refresh(remembered.memory_id, told)
        if outcome == "superseding":
            del self.memories[self._holder_of(told.slot)]
        if outcome in {"added", "superseding"}:
            self.memories[remembered.memory_id] = told

    def state(self, edge: Edge) -> None:
        """Takes in a statement that is true now."""
        source, relation, _ = edge
        if relation in SINGLE:
            self.edges = {each for each in self.edges if each[:2] != (source, relation)}
        self.edges.add(edge)

    def roll_back(self, at: int, rollback_id: UUID) -> None:
        """The present becomes that of the moment noted at this position."""
        self.rollbacks.append((rollback_id, self._copy()))
        self._become(self._kept[at])

    def undo(self, at: int, rollback_id: UUID) -> None:
        """The present becomes what it was before that rollback."""
        before = self.rollbacks[at][1]
        self.rollbacks.append((rollback_id, self._copy()))
        self._become(before)

    def _refresh(self, memory_id: UUID, told: Told) -> None:
        row = self.memories[memory_id]
        assert _says(row, told), (row, told)
        importance = row.importance
        if told.importance is not None and told.importance > (importance or 5):
            importance = told.importance
        sources = dict.fromkeys((*row.sources, *told.sources))
        self.memories[memory_id] = row._replace(importance=importance, sources=tuple(sources))

    def _holder_of(self, slot: str) -> UUID:
        holder = self.holder(slot)
        assert holder is not None
        return holder

    def _copy(self) -> dict[str, Any]:
        return {
            "memories": dict(self.memories),
            "values": dict(self.values),
            "edges": set(self.edges),
        }

    def _become(self, kept: dict[str, Any]) -> None:
        self.memories = dict(kept["memories"])
        self.values = dict(kept["values"])
        self.edges = set(kept["edges"])


def _says(row: Told, told: Told) -> bool:
    """Whether a memory says what is told: without a slot that of any, with one that of its own."""
    return row.content == told.content and told.slot in {"", row.slot}
