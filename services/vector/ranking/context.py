"""The talk that things stand in: the turns around each as one text, and its whole session."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from services.storage.codes import Places, positions
from services.vector.ranking.meaning import Meaning, Ranges, Values
from services.vector.ranking.sessions import SessionWords
from services.vector.ranking.surroundings import anchors_of, neighbours, sessions_of
from services.vector.ranking.words import Indexes, Words, saturated

REACH = 2
"""So many steps to each side of a thing are looked at."""


@dataclass(frozen=True)
class Talk:
    """Things, one entry each, and what stands around them, each looked up once.

    Row REACH + n of `beside` is what stands n steps on: −1 where that would leave its session;
    Row REACH is where each itself stands, a memory with the message it was taken from. `at` is
    where in `words.things` that is (their number: it holds no word of the query).
    `sessions` are the numbers of the sessions or files, −1 for none. `near` has what stands
    before each, each, and what stands after each, a third each; None where nothing is known of
    meaning.
    """

    words: Words
    meaning: Meaning | None
    things: Places
    sessions: Places
    beside: Places
    at: Indexes
    near: Ranges | None
    session_words: SessionWords

    @classmethod
    def around(cls, words: Words, meaning: Meaning | None, things: Places) -> "Talk":
        """Looks around these things."""
        anchors = anchors_of(things)
        steps = [neighbours(anchors, each) for each in range(-REACH, REACH + 1)]
        steps[REACH] = anchors
        beside = np.stack(steps)
        at = np.full(beside.size, len(words.things), np.intp)
        found, there = positions(words.things, beside.ravel())
        at[there] = found
        standing = at.reshape(beside.shape)
        # A memory whose message holds no word (or is not searched) stands there by its own.
        alone = np.flatnonzero(standing[REACH] == len(words.things))
        found, there = positions(words.things, things[alone])
        standing[REACH, alone[there]] = found
        near = None
        if meaning is not None:
            around = np.concatenate([steps[REACH - 1], things, steps[REACH + 1]])
            near = meaning.of_things(around)
        return cls(
            words=words,
            meaning=meaning,
            things=things,
            sessions=sessions_of(anchors),
            beside=beside,
            at=standing,
            near=near,
            session_words=SessionWords.of(words),
        )

    def narrowed(self, kept: Indexes, words: Words) -> "Talk":
        """That of some of the things; `words` are the same, of which others may be asked for."""
        thirds = np.concatenate([kept + third * len(self.things) for third in range(3)])
        return Talk(
            words=words,
            meaning=self.meaning,
            things=self.things[kept],
            sessions=self.sessions[kept],
            beside=self.beside[:, kept],
            at=self.at[:, kept],
            near=None if self.near is None else self.near.part(thirds),
            session_words=self.session_words,
        )

    def bm25(self, steps: int) -> Values:
        """The BM25 of what stands so many steps on: 0 where there is nothing."""
        return np.asarray(self._best[self.at[REACH + steps]])

    def near_by(self, steps: int) -> Ranges | None:
        """How near that is, for −1, 0 and 1 steps."""
        total = len(self.things)
        third = slice((steps + 1) * total, (steps + 2) * total)
        return None if self.near is None else self.near.part(third)

    def window(self, reach: int) -> tuple[Values, Values]:
        """BM25 and coverage of the stretch of things up to `reach` steps around each.

        The stretch is taken as one text: words that it spreads over several turns meet in it.
        Coverage is the share of the terms' idf that is found.
        """
        words = self.words
        rows = slice(REACH - reach, REACH + reach + 1)
        frequencies = self._frequencies[:, rows].sum(axis=1, dtype=np.float64)
        lengths = self._lengths[rows].sum(axis=0)
        mean_length = words.mean_length * (2 * reach + 1)
        scores = words.idf @ saturated(frequencies, lengths, mean_length)
        return np.asarray(scores), np.asarray(words.idf @ (frequencies > 0) / words.total_idf)

    def whole_sessions(self) -> tuple[Values, Values]:
        """BM25 and coverage of the session of each, likewise; 0 where there is none."""
        return self.session_words.scores(self.words, self.meaning, self.sessions)

    @cached_property
    def _best(self) -> Values:
        return np.append(self.words.best, 0.0)

    @cached_property
    def _frequencies(self) -> NDArray[np.float32]:
        """(terms, steps, things): how often each term occurs."""
        words = self.words
        found = np.zeros((len(words.idf), *self.at.shape), np.float32)
        some = self.at < len(words.things)
        found[:, some] = words.frequencies[:, self.at[some]]
        return found

    @cached_property
    def _lengths(self) -> Values:
        """(steps, things): the mean where no word was found, 0 outside of the session."""
        lengths = np.append(self.words.lengths, self.words.mean_length)[self.at]
        ends = self.beside < 0
        ends[REACH] = False
        return np.where(ends, 0.0, lengths)
