"""What the query's words say of every unit and every thing: BM25, and the parts it is made of."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.storage.codes import Places
from services.storage.places import MAX_PART, MESSAGE, kind_range
from services.storage.search import Gathered

Values = NDArray[np.float64]
Indexes = NDArray[np.intp]

_MESSAGES_END = kind_range(MESSAGE)[1] + 1

K1, B = 1.2, 0.75
"""BM25 (Robertson and Walker 1994): how soon repetitions saturate, how much length counts."""


def things_of(places: Places) -> Places:
    """Of what thing each unit is: a message's passages are one; other units stand for themselves.

    Things are numbers like places: that of a message is the place of its first passage.
    """
    return np.where(places < _MESSAGES_END, places & ~np.int64(MAX_PART), places)


def idf_of(collection: float, holders: Values) -> Values:
    """How telling terms are that so many of a collection hold: above 0."""
    return np.asarray(np.log(1 + (collection - holders + 0.5) / (holders + 0.5)))


def saturated(frequencies: Values, lengths: Values | float, mean_length: float) -> Values:
    """BM25's weight of terms by their frequencies in texts of these lengths: 0 to 2.2."""
    damped = frequencies + (K1 * (1 - B) + lengths * (K1 * B / max(mean_length, 1e-9)))
    np.divide(frequencies, damped, out=damped)
    damped *= K1 + 1
    return damped


@dataclass(frozen=True, slots=True)
class Weighed:
    """The postings of a query in the order of their places, and BM25's weight of each.

    Of which term, unit and thing each is, by their numbers; how often it occurs there.
    """

    term: NDArray[np.int32]
    unit: Indexes
    thing: Indexes
    frequency: Values
    weight: Values

    def scores(self, idf: Values, units: int) -> Values:
        """The BM25 of each unit."""
        return counted(self.unit, units, idf.take(self.term) * self.weight)


@dataclass(frozen=True)
class Words:
    """Where the terms of a query occur, in a shape for arithmetic.

    A term that is not asked for (a speaker's name) has an idf of 0.

    `places` are the units that hold a term, sorted, with their BM25 (`scores`); `idf` is a
    value for each term. `things` are those the units are of, sorted, of which `starts` says
    where their units begin, and `lengths` how long those are together; `lengths` has one more
    entry, for a thing that holds no term: the mean.
    """

    postings: Weighed
    places: Places
    scores: Values
    idf: Values
    things: Places
    starts: Indexes
    lengths: Values
    mean_length: float
    items: int

    def asking(self, asked: Values) -> "Words":
        """The same words, of which only some are asked for: 1 for each term that is, else 0."""
        idf = self.idf * asked
        return replace(self, idf=idf, scores=self.postings.scores(idf, len(self.places)))

    @cached_property
    def best(self) -> Values:
        """The BM25 of each of `things`: that of its best unit; and 0 for one that holds no term."""
        best = np.zeros(len(self.things) + 1)
        if len(self.things) == len(self.places):
            best[:-1] = self.scores
        else:
            np.maximum.reduceat(self.scores, self.starts, out=best[:-1])
        return best

    @cached_property
    def top(self) -> float:
        """The BM25 of the best unit; 0 if there is none."""
        return float(self.scores.max(initial=0.0))

    @cached_property
    def total_idf(self) -> float:
        """That of all terms together, never 0: coverages are shares of it."""
        return max(float(self.idf.sum()), 1e-9)

    def at(self, things: Places) -> Indexes:
        """Where in `things` these stand; the number of all for one that holds no term."""
        return found_at(self.things, things)

    def frequencies(self, at: Indexes) -> Values:
        """How often each term occurs in the things at `at`, (at, terms): 0 for what holds none."""
        terms, postings = len(self.idf), self.postings
        begins = self._begins.take(at)
        which, found = unrolled(begins, self._begins.take(at + 1) - begins)
        cells = which * terms + postings.term.take(found)
        counts = counted(cells, len(at) * terms, postings.frequency.take(found))
        return counts.reshape(len(at), terms)

    def mentions_before(self, at: Indexes) -> Values:
        """How many things before each of these hold each term: (at, terms).

        `at` are in order, but for those that are the number of all: of them it says nothing.
        """
        terms, postings = len(self.idf), self.postings
        thing, term = postings.thing, postings.term
        if len(self.things) != len(self.places):
            # Several passages of a thing may hold a term: they are one mention.
            thing, term = np.divmod(np.unique(thing * terms + term), terms)
        ordered = np.minimum.accumulate(at[::-1])[::-1]
        bounds = np.concatenate([[0], thing.searchsorted(ordered), [len(thing)]])
        stretch = np.arange(len(at) + 1).repeat(bounds[1:] - bounds[:-1])
        counts = counted(stretch * terms + term, (len(at) + 1) * terms)
        return np.asarray(counts.reshape(len(at) + 1, terms)[:-1].cumsum(axis=0))

    @cached_property
    def _begins(self) -> Indexes:
        """Where in the postings those of each thing begin, and twice where all end."""
        total = len(self.postings.thing)
        return np.concatenate([runs(self.postings.thing), [total, total]])


def words_of(gathered: Gathered) -> Words:
    """The words of a gathered query, all of them asked for."""
    postings = gathered.postings
    mean_length = gathered.total_length / max(gathered.items, 1)
    idf = idf_of(gathered.items, gathered.holders.astype(np.float64))
    order = postings.place.argsort(kind="stable")
    ordered, term = postings.place.take(order), postings.term.take(order)
    frequency = postings.frequency.take(order).astype(np.float64)
    length = postings.length.take(order).astype(np.float64)
    firsts, unit = _stretches(ordered)
    places, lengths, thing = ordered.take(firsts), length.take(firsts), unit
    things, starts, spread = _things(places)
    if len(things) < len(places):
        thing, lengths = spread.take(unit), counted(spread, len(things), lengths)
    weighed = Weighed(term, unit, thing, frequency, saturated(frequency, length, mean_length))
    return Words(
        postings=weighed,
        places=places,
        scores=weighed.scores(idf, len(places)),
        idf=idf,
        things=things,
        starts=starts,
        lengths=np.concatenate([lengths, [mean_length]]),
        mean_length=mean_length,
        items=gathered.items,
    )


def _things(places: Places) -> tuple[Places, Indexes, Indexes]:
    """The things of sorted units, where the units of each begin, and of which each unit is."""
    messages = places[: places.searchsorted(_MESSAGES_END)]
    if not (messages & MAX_PART).any():
        each = np.arange(len(places))
        return places, each, each
    of = things_of(places)
    starts, which = _stretches(of)
    return of.take(starts), starts, which


def counted(cells: NDArray[np.integer[Any]], total: int, weights: Values | None = None) -> Values:
    """For each of so many cells, how often it is among `cells`, or the sum of its weights."""
    return np.bincount(cells, weights, total).astype(np.float64, copy=False)


def unrolled(begins: Indexes, lengths: Indexes) -> tuple[Indexes, Indexes]:
    """All numbers of several stretches one behind the other, and of which stretch each is."""
    ends = lengths.cumsum()
    which = np.arange(len(lengths)).repeat(lengths)
    return which, np.arange(len(which)) + (begins - ends + lengths).take(which)


def runs(ordered: Places) -> Indexes:
    """Where each stretch of equal numbers begins."""
    return _begins(ordered).nonzero()[0]


def grouped(numbers: Places) -> tuple[Places, Indexes, Indexes]:
    """The different numbers, sorted; where each stands first; and which of them each number is.

    Of sorted numbers, or a few sorted stretches one behind the other, in next to no time.
    """
    if (numbers[1:] >= numbers[:-1]).all():
        starts, which = _stretches(numbers)
        return numbers.take(starts), starts, which
    order = numbers.argsort(kind="stable")
    ordered = numbers.take(order)
    starts, stretch = _stretches(ordered)
    which = np.empty(len(numbers), np.intp)
    which[order] = stretch
    return ordered.take(starts), order.take(starts), which


def distinct(ordered: Places) -> Places:
    """Sorted numbers, each once."""
    return ordered[_begins(ordered)]


def found_at(within: Places, wanted: Places) -> Indexes:
    """Where in `within` (sorted, each once) the wanted stand; its length for one that doesn't."""
    if not len(within):
        return np.zeros(wanted.shape, np.intp)
    at = within.searchsorted(wanted)
    strays = within.take(at, mode="clip") != wanted
    # By arithmetic: picking some of many by a mask takes several times as long.
    at += (len(within) - at) * strays
    return at


def scores_at(words: Words, places: Places) -> Values:
    """The BM25 of these units: 0 where no word is in common."""
    scores = np.concatenate([words.scores, [0.0]])
    return scores.take(found_at(words.places, places))


def _begins(ordered: Places) -> NDArray[np.bool_]:
    """Whether each of sorted numbers is another one than that before it."""
    begins = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    return begins


def _stretches(ordered: Places) -> tuple[Indexes, Indexes]:
    """Where each stretch of equal numbers begins, and in which stretch each number is."""
    begins = _begins(ordered)
    starts = begins.nonzero()[0]
    if len(starts) == len(ordered):
        return starts, starts
    which = begins.cumsum()
    which -= 1
    return starts, which
