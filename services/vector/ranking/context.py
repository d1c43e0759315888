"""The talk that things stand in: the turns around each as one text, and its whole session."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.storage.codes import Places
from services.vector.ranking.meaning import Meaning, Ranges, Values
from services.vector.ranking.sessions import Sessions
from services.vector.ranking.surroundings import anchors_of, around, sessions_of
from services.vector.ranking.words import Indexes, Words, saturated

REACH = 2
"""So many steps to each side of a thing are looked at."""


@dataclass(frozen=True, slots=True)
class Turns:
    """How often each term occurs in things, (things, terms), and in the turns around them.

    `stretches` are of up to one step around, two, … REACH: the frequencies and the lengths. A
    length is the mean where no word was found, and 0 outside of the session.
    """

    frequencies: Values
    stretches: Sequence[tuple[Values, Values]]

    @classmethod
    def of(cls, words: Words, beside: Places, at: Indexes, own: Indexes) -> "Turns":
        """Arguments as `Talk` has them."""
        every = words.frequencies(np.concatenate([at.ravel(), own]))
        *rows, themselves = every.reshape(len(at) + 1, len(own), len(words.idf))
        lengths = words.lengths.take(at)
        middle = lengths[REACH].copy()
        lengths *= beside >= 0
        stretches = [(rows[REACH], middle)]
        for step in range(1, REACH + 1):
            counts, length = stretches[-1]
            before, after = REACH - step, REACH + step
            stretches.append(
                (counts + rows[before] + rows[after], length + lengths[before] + lengths[after])
            )
        return cls(themselves, stretches[1:])

    def part(self, kept: Indexes) -> "Turns":
        """Those of some of the things."""
        return Turns(
            self.frequencies.take(kept, axis=0),
            [(counts.take(kept, axis=0), lengths.take(kept)) for counts, lengths in self.stretches],
        )


@dataclass(frozen=True)
class Talk:
    """Things, one entry each, and what stands around them, each looked up once.

    Row REACH + n of `beside` is what stands n steps on: −1 where that would leave its session;
    Row REACH is where each itself stands, a memory with the message it was taken from. `at` is
    where in `words.things` that is (their number: it holds no word of the query), `own` where
    each itself is, wherever it stands.
    `near` has what stands before each, each, and what stands after each, a third each; None
    where nothing is known of meaning. `sessions` are the whole sessions or files,
    `turns` what is said from REACH steps before each to REACH steps after.
    """

    words: Words
    meaning: Meaning | None
    things: Places
    beside: Places
    at: Indexes
    own: Indexes
    near: Ranges | None
    sessions: Sessions
    turns: Turns

    @classmethod
    def around(cls, words: Words, meaning: Meaning | None, things: Places) -> "Talk":
        """Looks around these things."""
        anchors = anchors_of(things)
        beside = around(anchors, range(-REACH, REACH + 1))
        beside[REACH] = anchors
        at, own = words.at(beside), words.at(things)
        # A memory whose message holds no word (or is not searched) stands there by its own.
        at[REACH] = np.where(at[REACH] == len(words.things), own, at[REACH])
        near = None
        if meaning is not None:
            near = meaning.of_things(np.concatenate([beside[REACH - 1], things, beside[REACH + 1]]))
        sessions = Sessions.of(words, meaning, sessions_of(anchors))
        turns = Turns.of(words, beside, at, own)
        return cls(words, meaning, things, beside, at, own, near, sessions, turns)

    def narrowed(self, kept: Indexes, words: Words) -> "Talk":
        """That of some of the things; `words` are the same, of which others may be asked for."""
        thirds = np.concatenate([kept + third * len(self.things) for third in range(3)])
        return Talk(
            words=words,
            meaning=self.meaning,
            things=self.things.take(kept),
            beside=self.beside.take(kept, axis=1),
            at=self.at.take(kept, axis=1),
            own=self.own.take(kept),
            near=None if self.near is None else self.near.part(thirds),
            sessions=self.sessions.part(kept),
            turns=self.turns.part(kept),
        )

    def bm25(self, steps: int) -> Values:
        """The BM25 of what stands so many steps on: 0 where there is nothing."""
        return np.asarray(self.words.best.take(self.at[REACH + steps]))

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
        frequencies, lengths = self.turns.stretches[reach - 1]
        mean_length = words.mean_length * (2 * reach + 1)
        scores = saturated(frequencies, lengths[:, np.newaxis], mean_length) @ words.idf
        return scores, (frequencies > 0) @ words.idf / words.total_idf

    def whole_sessions(self) -> tuple[Values, Values]:
        """BM25 and coverage of the session of each, likewise; 0 where there is none."""
        return self.sessions.scores(self.words)
