"""Everything the signals read, worked out once for the things that are ranked."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from services.storage.codes import Places, positions
from services.storage.places import MEMORY, MESSAGE, kind_of
from services.storage.search import Described
from services.vector.ranking.context import REACH, Talk
from services.vector.ranking.meaning import Meaning, Ranges, Values
from services.vector.ranking.naming import name_terms
from services.vector.ranking.question import Question
from services.vector.ranking.words import Indexes, Words

_KINDS = 3 << 61


@dataclass(frozen=True)
class Evidence:
    """One entry a thing, in the order of places, that is of what was said.

    `units` are their best units in full, `first_cosine` is of the question and their first
    passages (NaN: unknown), `talk` what stands around them. `named` are the terms that name a
    speaker: they say who is asked about and not what, so `words` leaves them out (unless nothing
    else is asked). `derived` is how near the memories are that were taken from each (NaN: none).
    """

    question: Question
    units: Described
    first_cosine: Values
    talk: Talk
    derived: Values | None
    named: frozenset[str]

    @property
    def words(self) -> Words:
        """Where the terms that are asked for occur."""
        return self.talk.words

    @property
    def meaning(self) -> Meaning | None:
        """How near all units are; None for a question without an embedding."""
        return self.talk.meaning

    @property
    def things(self) -> Places:
        """Where they stand."""
        return self.talk.things

    @property
    def anchors(self) -> Places:
        """Where in the talk they stand: a memory with its message."""
        return np.asarray(self.talk.beside[REACH])

    @property
    def nearness(self) -> Ranges | None:
        """How near they are, by all of their units."""
        return self.talk.near_by(0)

    @property
    def nothing(self) -> Values:
        """0 for each thing."""
        return np.zeros(len(self.things))

    @property
    def cosine(self) -> Values:
        """Of the question and their best units; NaN where unknown."""
        return self.units.similarities

    @cached_property
    def said(self) -> NDArray[np.bool_]:
        """Whether each stands in a session or file."""
        return np.asarray(self.talk.sessions.of_things >= 0)

    @cached_property
    def bm25(self) -> Values:
        """That of their best units."""
        return self.words.best.take(self.talk.own)

    @cached_property
    def event_days(self) -> Values:
        """When each was said or happened, in days since 1970 of the asker's zone, NaN: unknown."""
        return (self.units.event_seconds + self.question.utc_offset_seconds) / 86_400

    @cached_property
    def norms(self) -> NDArray[np.float32]:
        """How long the best units' vectors are; next to nothing where there is none."""
        vectors = self.units.vectors
        squares = np.vecdot(vectors, vectors)
        return np.asarray(np.maximum(np.sqrt(squares), np.float32(1e-9)))

    @cached_property
    def earlier(self) -> NDArray[np.bool_]:
        """[i, j]: whether j stands before i. A memory stands with its message."""
        # Compared by their order among themselves, in numbers a quarter as wide as places.
        order = np.sort(self.anchors).searchsorted(self.anchors).astype(np.uint16)
        return np.asarray(order < order[:, np.newaxis])


def evidence_of(
    question: Question,
    talk: Talk,
    memories: Meaning | None,
    kept: Indexes,
    described: Described,
) -> Evidence:
    """The evidence for the things `kept` of those the talk is around.

    `described` are the best unit of each, in their order, and behind them the first passages
    of those that begin elsewhere.
    """
    units = described.leading(len(kept))
    named, asked = _asked(question.terms, units.speakers)
    near = talk.narrowed(kept, talk.words.asking(asked) if named else talk.words)
    return Evidence(
        question=question,
        units=units,
        first_cosine=_first_cosine(near.things, described),
        talk=near,
        derived=None if memories is None else memories.within(*memories_at(near.things)).best,
        named=named,
    )


def begin_elsewhere(things: Places, best: Places) -> Places:
    """The first passages of the messages whose best unit is another one, in order."""
    return np.asarray(things[(kind_of(things) == MESSAGE) & (things != best)])


def _first_cosine(things: Places, described: Described) -> Values:
    """Of a thing's first passage, which stands where the thing does; NaN if it is not described."""
    order = described.places.argsort(kind="stable")
    cosines = np.full(len(things), np.nan)
    at, there = positions(described.places.take(order), things)
    cosines[there] = described.similarities.take(order.take(at))
    return cosines


def _asked(terms: Sequence[str], speakers: Sequence[str]) -> tuple[frozenset[str], Values]:
    names = {term for speaker in set(speakers) for term in name_terms(speaker)}
    named = frozenset(names.intersection(terms))
    asked = np.array([0.0 if term in named else 1.0 for term in terms])
    return named, asked if asked.any() else np.ones(len(terms), float)


def memories_at(things: Places) -> tuple[Places, Places]:
    """The range of places of the memories taken from each message; an empty one for others."""
    is_message = kind_of(things) == MESSAGE
    starts = np.where(is_message, things | np.int64(MEMORY << 61), np.int64(_KINDS))
    return starts, starts + np.where(is_message, np.int64(2047), np.int64(-1))
