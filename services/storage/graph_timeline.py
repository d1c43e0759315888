"""What a statement does to what is known: pure rules, no SQL.

Edges of one triple are spans of time, [start, end). A span's start is its `valid_from`, or
else the moment it was first recorded. A statement

- that falls into a span of its own triple refreshes it;
- that says since when, earlier than a span of its triple, moves that span's start back;
- that says until when (or that it is over) ends the span that is open;
- otherwise makes a new span.

For a single-valued relation the spans of all its targets make one timeline: each ends where the
next one starts, in whatever order they were told. Of two that start together the one told
later counts. Ends that somebody stated are never moved by this, only ends it worked out itself
(closed_reason "superseded"). Two limits: a statement that something is over closes no other
target, and a return that is told before the absence in between is taken for no absence.

A relation of CORRECTED has no timeline: the target stated last holds, the others are taken back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

from services.runtime.ids import new_id
from services.storage.graph_edges import EdgeRow, Triple
from services.storage.relations import (
    CORRECTED,
    CUSTOM,
    EDGE_TYPES,
    SINGLE_VALUED,
    NodeKey,
    NodeRef,
)

SUPERSEDED = "superseded"
ENDED = "ended"
Slot: TypeAlias = tuple[NodeKey, str]

_ALWAYS = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Statement:
    """One triple as it was said.

    `custom_type` is set for CUSTOM only. `confidence` is 0 to 1. `valid_from` None: unknown,
    counts as now. `valid_to` or `ended` say that it is over (ended alone: as of now).
    """

    subject: NodeRef
    edge_type: str
    custom_type: str
    object: NodeRef
    content: str = ""
    confidence: float | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    ended: bool = False
    source_message_ids: tuple[UUID, ...] = ()
    extraction_id: UUID | None = None

    def __post_init__(self) -> None:
        if self.edge_type not in EDGE_TYPES or (self.edge_type == CUSTOM) != bool(self.custom_type):
            raise ValueError(f"no relation: {self.edge_type!r} {self.custom_type!r}")

    @property
    def triple(self) -> Triple:
        """What it says, without time."""
        return Triple(self.subject.key, self.edge_type, self.custom_type, self.object.key)

    @property
    def slot(self) -> Slot:
        """What has one value at a time, if the relation is single-valued."""
        return self.subject.key, self.edge_type

    @property
    def is_end(self) -> bool:
        """Whether it says until when."""
        return self.ended or self.valid_to is not None


@dataclass(frozen=True, slots=True)
class Stated:
    """What became of a statement: its edge, and the edges that were open until it came."""

    edge: EdgeRow
    closed: tuple[EdgeRow, ...] = ()


def start_of(edge: EdgeRow) -> datetime | None:
    """Since when a span counts as true; None for one that was over before it was recorded."""
    if edge.valid_from is not None:
        return edge.valid_from
    over = edge.valid_to is not None and edge.valid_to <= edge.first_recorded_at
    return None if over else edge.first_recorded_at


def _end_of(edge: EdgeRow) -> datetime:
    return edge.valid_to or _ALWAYS


class Timeline:
    """The edges that a list of statements is about, as they come to stand.

    `known` are the present edges of the statements' triples and slots (of CORRECTED relations
    also those taken back as superseded). `moment` is the record time of what is written.
    """

    def __init__(self, known: Iterable[EdgeRow], moment: datetime) -> None:
        self._before = {edge.edge_id: edge for edge in known}
        self._edges: dict[UUID, EdgeRow] = {}
        self._of_triple: dict[Triple, list[UUID]] = {}
        self._of_slot: dict[Slot, list[UUID]] = {}
        self._moment = moment
        for edge in self._before.values():
            self._keep(edge)

    def state(self, statements: Sequence[Statement]) -> list[Stated]:
        """Take the statements in, in their order. Stating them again changes nothing."""
        winners = _winners(statements)
        closed: dict[int, list[UUID]] = {}
        edges: dict[int, UUID] = {}
        outdone = []
        for position, statement in enumerate(statements):
            winner = winners.get(statement.slot)
            if winner is not None and _undated(statement) and statement.triple != winner:
                outdone.append(position)
                continue
            edges[position], closed[position] = self._take(statement)
        for position in outdone:
            statement = statements[position]
            edges[position] = self._take_outdone(statement, winners[statement.slot])
        self._number_revisions()
        return [
            Stated(
                self._edges[edges[position]],
                tuple(self._edges[each] for each in closed.get(position, ())),
            )
            for position in range(len(statements))
        ]

    def made(self) -> list[EdgeRow]:
        """The edges that were not there before."""
        return [edge for key, edge in self._edges.items() if key not in self._before]

    def changed(self) -> list[EdgeRow]:
        """The edges that were there, stand, and say something else than before."""
        return [
            edge
            for key, edge in self._edges.items()
            if key in self._before and edge.retracted_at is None and edge != self._before[key]
        ]

    def taken_back(self) -> list[EdgeRow]:
        """The edges that were there and stand no longer."""
        return [
            edge
            for key, edge in self._edges.items()
            if edge.retracted_at is not None
            and key in self._before
            and self._before[key].retracted_at is None
        ]

    def _take(self, statement: Statement) -> tuple[UUID, list[UUID]]:
        if statement.edge_type in CORRECTED and not statement.is_end:
            return self._correct(statement)
        if statement.is_end:
            edge, moved = self._end(statement)
        else:
            edge, moved = self._begin(statement)
        settles = not statement.ended and (
            statement.valid_from is not None or _end_of(edge) > self._moment
        )
        if moved and settles and statement.edge_type in SINGLE_VALUED:
            return edge.edge_id, self._settle(edge)
        return edge.edge_id, []

    def _begin(self, statement: Statement) -> tuple[EdgeRow, bool]:
        """The span the statement belongs to, and whether it is new or starts earlier now."""
        at = statement.valid_from or self._moment
        spans = self._spans(statement.triple)
        for span in spans:
            if statement.valid_from is not None and span.valid_from == statement.valid_from:
                return self._refresh(span, statement), False
        for span in spans:
            if _end_of(span) <= at:
                continue
            start = start_of(span)
            if start is None or start <= at or not self._interrupted(span, at, start):
                return self._refresh(span, statement), start is not None and at < start
            break
        return self._make(statement), True

    def _end(self, statement: Statement) -> tuple[EdgeRow, bool]:
        """The span the statement puts an end to, and whether it is new or starts earlier now."""
        end = statement.valid_to or self._moment
        spans = self._spans(statement.triple)
        for span in spans:
            if span.valid_to is None and (span.valid_from is None or end > span.valid_from):
                fresh = self._close(self._refresh(span, statement), end, ENDED, None)
                return fresh, fresh.valid_from != span.valid_from
        for span in reversed(spans):
            start = start_of(span)
            inside = end <= _end_of(span) and (start is None or start < end)
            if span.valid_to is not None and (
                statement.valid_to is None or inside or end == span.valid_to
            ):
                fresh = self._refresh(span, statement)
                if inside and statement.valid_to is not None and fresh.closed_reason == SUPERSEDED:
                    fresh = self._close(fresh, end, ENDED, None)
                return fresh, False
        return self._make(statement, valid_to=end, closed_reason=ENDED), True

    def _correct(self, statement: Statement) -> tuple[UUID, list[UUID]]:
        spans = self._spans(statement.triple)
        edge = self._refresh(spans[-1], statement) if spans else self._make(statement)
        others = [each for each in self._siblings(edge) if each.retracted_at is None]
        for other in others:
            self._keep(self._taken_back(other, edge.edge_id))
        return edge.edge_id, [other.edge_id for other in others]

    def _take_outdone(self, statement: Statement, winner: Triple) -> UUID:
        """An undated statement that a later one of the same list contradicts: over at once."""
        holder = self._spans(winner)[-1]
        for edge in self._stated_of(statement.triple):
            if edge.superseded_by == holder.edge_id:
                standing = edge.retracted_at is None
                return (self._refresh(edge, statement) if standing else edge).edge_id
        edge = self._make(statement)
        if statement.edge_type in CORRECTED:
            return self._keep(self._taken_back(edge, holder.edge_id)).edge_id
        end = start_of(holder) or self._moment
        return self._close(edge, end, SUPERSEDED, holder.edge_id).edge_id

    def _settle(self, edge: EdgeRow) -> list[UUID]:
        """Makes `edge` and the its slot's other targets a sequence; names those that were open."""
        start = start_of(edge)
        if start is None:
            return []
        closed = []
        for other in self._siblings(edge):
            begun = start_of(other)
            if begun is None:
                continue
            if begun <= start:
                if self._movable(other) and _end_of(other) > start:
                    if other.valid_to is None:
                        closed.append(other.edge_id)
                    self._close(other, start, SUPERSEDED, edge.edge_id)
            elif _end_of(edge) > begun and self._movable(edge):
                edge = self._close(edge, begun, SUPERSEDED, other.edge_id)
        return closed

    def _movable(self, edge: EdgeRow) -> bool:
        return edge.valid_to is None or edge.closed_reason == SUPERSEDED

    def _interrupted(self, span: EdgeRow, at: datetime, start: datetime) -> bool:
        """Whether another target of a single-valued relation begins between `at` and `start`."""
        if span.edge_type not in SINGLE_VALUED:
            return False
        begins = [start_of(other) for other in self._siblings(span)]
        return any(begun is not None and at < begun < start for begun in begins)

    def _spans(self, triple: Triple) -> list[EdgeRow]:
        """The triple's present spans, the earliest first."""
        spans = [edge for edge in self._stated_of(triple) if edge.retracted_at is None]
        return sorted(spans, key=lambda each: (_end_of(each), each.edge_id))

    def _stated_of(self, triple: Triple) -> list[EdgeRow]:
        return [self._edges[key] for key in self._of_triple.get(triple, ())]

    def _siblings(self, edge: EdgeRow) -> list[EdgeRow]:
        slot = [self._edges[key] for key in self._of_slot[edge.source, edge.edge_type]]
        siblings = [
            other for other in slot if other.retracted_at is None and other.target != edge.target
        ]
        return sorted(siblings, key=lambda each: each.edge_id)

    def _make(
        self, statement: Statement, valid_to: datetime | None = None, closed_reason: str = ""
    ) -> EdgeRow:
        return self._keep(
            EdgeRow(
                edge_id=new_id(),
                source=statement.subject.key,
                edge_type=statement.edge_type,
                custom_type=statement.custom_type,
                target=statement.object.key,
                confidence=statement.confidence,
                content=statement.content,
                valid_from=statement.valid_from,
                valid_to=valid_to,
                closed_reason=closed_reason,
                source_message_ids=statement.source_message_ids,
                extraction_id=statement.extraction_id,
                first_recorded_at=self._moment,
                recorded_at=self._moment,
            )
        )

    def _refresh(self, edge: EdgeRow, statement: Statement) -> EdgeRow:
        """The edge with what the statement adds: surer, more sources, newer words, sooner."""
        sure = [each for each in (edge.confidence, statement.confidence) if each is not None]
        sources = dict.fromkeys((*edge.source_message_ids, *statement.source_message_ids))
        since = edge.valid_from
        counted = since or edge.first_recorded_at
        if statement.valid_from is not None and statement.valid_from < counted:
            since = statement.valid_from
        return self._keep(
            replace(
                edge,
                confidence=max(sure, default=None),
                source_message_ids=tuple(sources),
                content=statement.content or edge.content,
                valid_from=since,
            )
        )

    def _close(self, edge: EdgeRow, end: datetime, reason: str, by: UUID | None) -> EdgeRow:
        return self._keep(replace(edge, valid_to=end, closed_reason=reason, superseded_by=by))

    def _taken_back(self, edge: EdgeRow, by: UUID) -> EdgeRow:
        return replace(edge, retracted_at=self._moment, closed_reason=SUPERSEDED, superseded_by=by)

    def _keep(self, edge: EdgeRow) -> EdgeRow:
        if edge.edge_id not in self._edges:
            self._of_triple.setdefault(edge.triple, []).append(edge.edge_id)
            if edge.edge_type in SINGLE_VALUED:
                self._of_slot.setdefault((edge.source, edge.edge_type), []).append(edge.edge_id)
        self._edges[edge.edge_id] = edge
        return edge

    def _number_revisions(self) -> None:
        for edge in self.changed():
            self._keep(replace(edge, revision=edge.revision + 1, recorded_at=self._moment))


def _undated(statement: Statement) -> bool:
    corrected = statement.edge_type in CORRECTED
    return not statement.is_end and (corrected or statement.valid_from is None)


def _winners(statements: Sequence[Statement]) -> dict[Slot, Triple]:
    """For each slot of a single-valued relation the triple that was stated last without a date.

    Those stated before it in the same list were told at the same moment, so nothing but their
    order says which one holds.
    """
    return {
        statement.slot: statement.triple
        for statement in statements
        if statement.edge_type in SINGLE_VALUED and _undated(statement)
    }
