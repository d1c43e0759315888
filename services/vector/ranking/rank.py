"""Ranking: from what was gathered to the best things, with the share of every signal."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opentelemetry import trace

from services.storage.codes import Nearest, Scanned, nearest, positions, scan
from services.storage.places import MEMORY, kind_range
from services.storage.search import Described, Filter, Gathered
from services.vector.ranking.evidence import Evidence, begin_elsewhere, evidence_of
from services.vector.ranking.meaning import Meaning, Values
from services.vector.ranking.pool import brought_up, choose
from services.vector.ranking.profile import LEADERS, Profile, Weight
from services.vector.ranking.question import Question
from services.vector.ranking.signals import Signals
from services.vector.ranking.words import Words

_TRACER = trace.get_tracer("mnema.vector")
_NEAREST = 300

SHORT_TERMS, LONG_TERMS = 15.0, 30.0
"""The mean length of units, in terms, up to which and from which weights are those of short and
of long things; between them the weights change in proportion."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one signal says of a thing, its weight here, and their product."""

    name: str
    value: float
    weight: float

    @property
    def share(self) -> float:
        """What it adds to the score."""
        return self.value * self.weight


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ranked things: `order` are their indexes in the evidence, the best first, equals by place.

    `totals` has the sum of each thing's shares; `values` of shape (signals, things) what each
    signal says, of the weights by the signals' names.
    """

    evidence: Evidence
    order: Sequence[int]
    totals: Values
    weights: Mapping[str, float]
    values: Values

    def score(self, index: int) -> float:
        """The sum of a thing's shares, at least 0."""
        return max(float(self.totals[index]), 0.0)

    def shares(self, index: int) -> tuple[Share, ...]:
        """What each signal says of a thing."""
        said = self.values[:, index].tolist()
        return tuple(
            Share(name, value, weight)
            for (name, weight), value in zip(self.weights.items(), said, strict=True)
        )


def blend(weight: Weight, mean_length: float) -> float:
    """A weight for a collection whose units have this mean length in terms."""
    long = _how_long(mean_length)
    return (1 - long) * weight.short + long * weight.long


def _how_long(mean_length: float) -> float:
    """0 for short things, 1 for long ones."""
    return min(max((mean_length - SHORT_TERMS) / (LONG_TERMS - SHORT_TERMS), 0.0), 1.0)


def _weights(profile: Profile, mean_length: float) -> dict[str, float]:
    """The weights of a profile that are not 0, as `blend` has them."""
    long = _how_long(mean_length)
    short = 1 - long
    blended = {
        name: short * each.short + long * each.long for name, each in profile.signals.items()
    }
    return {name: weight for name, weight in blended.items() if weight}


async def evidence_for(
    gathered: Gathered,
    words: Words,
    question: Question,
    chosen: Filter,
    dims: int,
    limit: int,
    describe: Callable[[Sequence[int]], Awaitable[Described]],
) -> Evidence:
    """Works out all that a ranking of at least `limit` things needs.

    `words` are those of what was gathered; `describe` reads units by their places.
    """
    with _TRACER.start_as_current_span("nearest"):
        near, meaning, memories = _meaning(gathered, question, chosen, dims)
    with _TRACER.start_as_current_span("choose"):
        brought = brought_up(words, near, gathered.allowed)
        talk, kept = choose(words, meaning, brought, limit)
        best = brought.best_units(talk.things[kept])
        beginnings = begin_elsewhere(talk.things[kept], best)
    with _TRACER.start_as_current_span("describe"):
        described = await describe([*best.tolist(), *beginnings.tolist()])
    # What is gone meanwhile is left out of both.
    there = positions(best, described.places)[0]
    if len(there) < len(kept):
        kept = kept[there]
    return evidence_of(question, talk, memories, kept, described)


def _meaning(
    gathered: Gathered, question: Question, chosen: Filter, dims: int
) -> tuple[Nearest | None, Meaning | None, Meaning | None]:
    """The nearest units, how near all are, and, if messages are asked for, all memories."""
    if question.embedding is None:
        return None, None, None
    near = nearest(
        gathered.codes,
        question.embedding,
        _NEAREST,
        spans=gathered.spans,
        allowed=gathered.allowed,
        excluded=gathered.excluded,
    )
    memories = None
    if "message" in chosen.kinds and chosen.as_of is None:
        memories = Meaning(_of_memories(gathered, question.embedding, chosen, near), dims)
    return near, Meaning(near.scanned, dims), memories


def _of_memories(
    gathered: Gathered, embedding: NDArray[np.floating[Any]], chosen: Filter, near: Nearest
) -> Sequence[Scanned]:
    """How all memories that were taken from messages differ from a query."""
    span = kind_range(MEMORY)
    if "memory" in chosen.kinds and gathered.allowed is None:
        return [each.within(*span) for each in near.scanned]
    return scan(gathered.codes, embedding, spans=[span], excluded=gathered.excluded)


def rank(evidence: Evidence, profile: Profile, mean_length: float) -> Ranking:
    """The things in order, by the signals that have a weight in such a collection."""
    weights = _weights(profile, mean_length)
    leading = weights.pop(LEADERS, 0.0)
    signals = Signals(evidence)
    values = signals.table(weights)
    totals = np.array(list(weights.values())) @ values
    if leading:
        weights[LEADERS] = leading
        values = np.vstack([values, signals.leaders(totals)])
        totals = totals + leading * values[-1]
    order = np.lexsort((evidence.things, -totals))
    return Ranking(evidence, order.tolist(), totals, weights, values)
