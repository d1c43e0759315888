"""What the query's words say of whole sessions (or files), each taken as one text."""

from dataclasses import dataclass

import numpy as np

from services.storage.codes import Places, positions
from services.storage.places import session_of
from services.vector.ranking.meaning import Meaning, Values
from services.vector.ranking.surroundings import anchors_of, session_bounds, sessions_of
from services.vector.ranking.words import Words, grouped, idf_of, runs, saturated


@dataclass(frozen=True, slots=True)
class SessionWords:
    """How often each term occurs in each session that holds one: (terms, sessions).

    `sessions` are their numbers, sorted; −1 stands for all that is in none.
    """

    sessions: Places
    frequencies: Values

    @classmethod
    def of(cls, words: Words) -> "SessionWords":
        """Adds up the words of things."""
        every, frequencies = sessions_of(anchors_of(words.things)), words.frequencies
        if np.any(every[1:] < every[:-1]):
            # A session's messages and the memories of it stand apart.
            order = np.argsort(every, kind="stable")
            every, frequencies = every[order], frequencies[:, order]
        starts = runs(every)
        if not len(starts):
            return cls(every, np.zeros((len(words.idf), 0)))
        return cls(every[starts], np.add.reduceat(frequencies, starts, axis=1, dtype=np.float64))

    def scores(
        self, words: Words, meaning: Meaning | None, sessions: Places
    ) -> tuple[Values, Values]:
        """BM25 and coverage (the share of the terms' idf that it holds) of each; 0 for −1.

        `words` are those that were added up, `meaning` says about how long sessions are.
        """
        wanted, _, back = grouped(sessions)
        holders = np.count_nonzero(self.frequencies, axis=1).astype(float)
        # Sessions are numbered from 1 for each user: the highest number says how many there are.
        total = max(float(session_of(wanted << 33).max(initial=1)), holders.max(initial=1.0))
        weights = np.where(words.idf > 0, idf_of(total, holders), 0.0)
        found = np.zeros((len(words.idf), len(wanted)))
        at, there = positions(self.sessions, wanted)
        found[:, there] = self.frequencies[:, at]
        found[:, wanted < 0] = 0.0
        scores = weights @ saturated(found, *_lengths(words, meaning, wanted))
        covered = words.idf @ (found > 0) / words.total_idf
        return np.asarray(scores)[back], np.asarray(covered)[back]


def _lengths(words: Words, meaning: Meaning | None, sessions: Places) -> tuple[Values, float]:
    """About how long these sessions are, by how many units they have, and their mean."""
    if meaning is None:
        return np.ones(len(sessions)), 1.0
    units = np.maximum(meaning.count_within(*session_bounds(np.maximum(sessions, 0))), 1)
    lengths = units * words.mean_length
    return lengths, float(lengths.mean()) if len(lengths) else 1.0
