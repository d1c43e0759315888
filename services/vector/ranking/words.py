"""What the query's words say of every unit and every thing: BM25, and the parts it is made of."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from services.storage.codes import Places, positions
from services.storage.places import MAX_PART, MESSAGE, kind_of
from services.storage.search import Gathered

Values = NDArray[np.float64]
Indexes = NDArray[np.intp]

K1, B = 1.2, 0.75
"""BM25 (Robertson and Walker 1994): how soon repetitions saturate, how much length counts."""


def things_of(places: Places) -> Places:
    """Of what thing each unit is: a message's passages are one; other units stand for themselves.

    Things are numbers like places: that of a message is the place of its first passage.
    """
    return np.where(kind_of(places) == MESSAGE, places & ~np.int64(MAX_PART), places)


def idf_of(collection: float, holders: Values) -> Values:
    """How telling terms are that so many of a collection hold: above 0."""
    return np.asarray(np.log(1 + (collection - holders + 0.5) / (holders + 0.5)))


def saturated(frequencies: Values, lengths: Values | float, mean_length: float) -> Values:
    """BM25's weight of terms by their frequencies in texts of these lengths: 0 to 2.2."""
    damping = K1 * (1 - B + B * np.asarray(lengths) / max(mean_length, 1e-9))
    return np.asarray(frequencies * (K1 + 1) / (frequencies + damping))


@dataclass(frozen=True, slots=True)
class Weighed:
    """The postings of a query: of which term and of which unit each is, and BM25's weight of it."""

    term: NDArray[np.int32]
    unit: Indexes
    weight: Values

    def scores(self, idf: Values, units: int) -> Values:
        """The BM25 of each unit."""
        return np.bincount(self.unit, idf[self.term] * self.weight, units).astype(np.float64)


@dataclass(frozen=True)
class Words:
    """Where the terms of a query occur, in a shape for arithmetic.

    A term that is not asked for (a speaker's name) has an idf of 0.

    `places` are the units that hold a term, sorted, with their BM25 (`scores`); `idf` is a
    value for each term. `things` are those the units are of, sorted, of which `starts` says
    where their units begin; `frequencies` of shape (terms, things) counts the terms in each,
    `lengths` are the lengths of their units found.
    """

    postings: Weighed
    places: Places
    scores: Values
    idf: Values
    things: Places
    starts: Indexes
    frequencies: NDArray[np.float32]
    lengths: Values
    mean_length: float
    items: int

    def asking(self, asked: Values) -> "Words":
        """The same words, of which only some are asked for: 1 for each term that is, else 0."""
        idf = self.idf * asked
        return replace(self, idf=idf, scores=self.postings.scores(idf, len(self.places)))

    @cached_property
    def best(self) -> Values:
        """The BM25 of each of `things`: that of its best unit."""
        if not len(self.things):
            return np.empty(0)
        return np.asarray(np.maximum.reduceat(self.scores, self.starts))

    @cached_property
    def total_idf(self) -> float:
        """That of all terms together, never 0: coverages are shares of it."""
        return max(float(self.idf.sum()), 1e-9)


def words_of(gathered: Gathered, terms: int) -> Words:
    """The words of a gathered query of so many terms, all of them asked for."""
    postings = gathered.postings
    mean_length = gathered.total_length / max(gathered.items, 1)
    holders = np.bincount(postings.term, minlength=terms).astype(np.float64)
    idf = idf_of(gathered.items, holders)
    places, first, unit = grouped(postings.place)
    weighed = Weighed(
        postings.term,
        unit,
        saturated(
            postings.frequency.astype(np.float64), postings.length.astype(np.float64), mean_length
        ),
    )
    of = things_of(places)
    starts = runs(of)
    thing = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(of)))
    frequencies = np.zeros((terms, len(starts)), np.float32)
    if len(starts) == len(places):
        frequencies[postings.term, unit] = postings.frequency
    else:
        np.add.at(frequencies, (postings.term, thing[unit]), postings.frequency)
    lengths = np.bincount(thing, postings.length[first], len(starts)).astype(np.float64)
    return Words(
        postings=weighed,
        places=places,
        scores=weighed.scores(idf, len(places)),
        idf=idf,
        things=of[starts],
        starts=starts,
        frequencies=frequencies,
        lengths=lengths,
        mean_length=mean_length,
        items=gathered.items,
    )


def runs(ordered: Places) -> Indexes:
    """Where each stretch of equal numbers begins."""
    if not len(ordered):
        return np.empty(0, np.intp)
    return np.concatenate([[0], 1 + np.flatnonzero(ordered[1:] != ordered[:-1])])


def grouped(numbers: Places) -> tuple[Places, Indexes, Indexes]:
    """The different numbers, sorted; where each stands first; and which of them each number is.

    Of sorted numbers, or a few sorted stretches one behind the other, in next to no time.
    """
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    starts = runs(ordered)
    which = np.empty(len(numbers), np.intp)
    which[order] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(numbers)))
    return ordered[starts], order[starts], which


def scores_at(words: Words, places: Places) -> Values:
    """The BM25 of these units: 0 where no word is in common."""
    found = np.zeros(len(places))
    at, there = positions(words.places, places)
    found[there] = words.scores[at]
    return found


def coverage_at(words: Words, things: Places) -> Values:
    """The share of the terms' idf that each of these things holds: 0 to 1."""
    found = np.zeros(len(things))
    at, there = positions(words.things, things)
    found[there] = words.idf @ (words.frequencies[:, at] > 0)
    return found / words.total_idf


def scores_of_things(words: Words, things: Places) -> Values:
    """The BM25 of these things: 0 where no word is in common."""
    found = np.zeros(len(things))
    at, there = positions(words.things, things)
    found[there] = words.best[at]
    return found
