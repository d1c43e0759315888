"""What the query's words say of whole sessions (or files), each taken as one text."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.storage.codes import Places
from services.storage.places import session_of
from services.vector.ranking.meaning import Meaning, Values
from services.vector.ranking.surroundings import session_bounds, sessions_of_sorted
from services.vector.ranking.words import (
    Indexes,
    Words,
    counted,
    found_at,
    grouped,
    idf_of,
    saturated,
)


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions that some things stand in, and how often each term occurs in each of them.

    `of` are the numbers of the things' sessions, −1 for none. `numbers` are the different ones,
    sorted, `which` of them each thing is in; `frequencies` (sessions, terms) are of all units,
    `units` says about how many there are (None: unknown). `holders` is how many sessions of
    all, those of other things too, hold each term.
    """

    of_things: Places
    numbers: Places
    which: Indexes
    frequencies: Values
    units: NDArray[np.int64] | None
    holders: Values

    @classmethod
    def of(cls, words: Words, meaning: Meaning | None, sessions: Places) -> "Sessions":
        """The sessions of things, by their numbers. All that stands in none is one, without terms.

        `meaning` says about how long sessions are.
        """
        numbers, _, which = grouped(sessions)
        frequencies, holders = _frequencies(words, numbers)
        units = None
        if meaning is not None:
            bounds = session_bounds(np.maximum(numbers, 0))
            units = np.maximum(meaning.count_within(*bounds), 1)
        return cls(sessions, numbers, which, frequencies, units, holders)

    def part(self, kept: Indexes) -> "Sessions":
        """Those of some of the things."""
        which = self.which.take(kept)
        wanted = np.zeros(len(self.numbers), np.intp)
        wanted[which] = 1
        at = wanted.nonzero()[0]
        return Sessions(
            of_things=self.of_things.take(kept),
            numbers=self.numbers.take(at),
            which=(wanted.cumsum() - 1).take(which),
            frequencies=self.frequencies.take(at, axis=0),
            units=None if self.units is None else self.units.take(at),
            holders=self.holders,
        )

    def scores(self, words: Words) -> tuple[Values, Values]:
        """BM25 and coverage (the share of the terms' idf it holds) of each thing's; 0 for −1."""
        # Sessions are numbered from 1 for each user: the highest number says how many there are.
        highest = session_of(np.maximum(self.numbers, 0) << 33).max(initial=1)
        total = max(float(highest), self.holders.max(initial=1.0))
        weights = np.where(words.idf > 0, idf_of(total, self.holders), 0.0)
        lengths, mean_length = self._lengths(words)
        scores = saturated(self.frequencies, lengths, mean_length) @ weights
        covered = (self.frequencies > 0) @ words.idf / words.total_idf
        return scores.take(self.which), covered.take(self.which)

    def best(self, values: Values) -> Values:
        """For each thing, the highest value, above 0, of those in its session."""
        best = np.zeros(len(self.numbers))
        np.maximum.at(best, self.which, values)
        return best.take(self.which)

    def _lengths(self, words: Words) -> tuple[Values, float]:
        """About how long these sessions are, (sessions, 1), by their units, and their mean."""
        if self.units is None:
            return np.ones((1, 1)), 1.0
        lengths = np.multiply(self.units, words.mean_length, dtype=np.float64)
        return lengths[:, np.newaxis], float(lengths.mean()) if len(lengths) else 1.0


def _frequencies(words: Words, numbers: Places) -> tuple[Values, Values]:
    """How often each term occurs in these sessions, (sessions, terms), and in how many it does.

    −1 holds no term, but counts as one of those that do if a thing in no session holds it.
    """
    terms, postings = len(words.idf), words.postings
    every, _, session = grouped(sessions_of_sorted(words.things))
    of = session.take(postings.thing)
    held = np.zeros((terms, len(every)), bool)
    held.ravel()[postings.term * np.intp(len(every)) + of] = True
    holders = np.array([np.count_nonzero(each) for each in held], float)
    wanted = np.full(len(every) + 1, len(numbers))
    wanted[found_at(every, numbers)] = np.where(numbers < 0, len(numbers), np.arange(len(numbers)))
    cells = wanted.take(of) * terms + postings.term
    counts = counted(cells, (len(numbers) + 1) * terms, postings.frequency)
    return counts.reshape(len(numbers) + 1, terms)[:-1], holders
