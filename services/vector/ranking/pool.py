"""Which things are ranked in full: cheap scores of all that words or meaning brought up."""

from dataclasses import dataclass

import numpy as np

from services.storage.codes import Nearest, Places, positions
from services.vector.ranking.context import REACH, Talk
from services.vector.ranking.meaning import Meaning, Values
from services.vector.ranking.words import (
    Indexes,
    Words,
    scores_at,
    scores_of_things,
    things_of,
)

POOL = 200
"""So many things are ranked in full. What the signals add lifts few from further behind."""

_BY_WORDS = 400
# What a thing's neighbours, the turns around it as one text, and its session add to its score.
_AROUND, _IN_WINDOW, _IN_SESSION = 0.25, 0.5, 0.4


@dataclass(frozen=True, slots=True)
class BroughtUp:
    """The units that words or meaning brought up: their places, sorted, and how well they fit."""

    places: Places
    fits: Values

    def best_units(self, things: Places) -> Places:
        """The place of the best unit of each thing."""
        of = things_of(self.places)
        order = np.lexsort((-self.fits, of))
        first = np.searchsorted(of[order], things)
        return self.places[order][first]


def brought_up(words: Words, near: Nearest | None, allowed: Places | None) -> BroughtUp:
    """The best units by words and the nearest ones, of those that may be hits."""
    told, scores = words.places, words.scores
    if allowed is not None:
        kept = positions(told, allowed)[0]
        told, scores = told[kept], scores[kept]
    told = told[np.sort(highest(scores, _BY_WORDS))]
    places = told if near is None else np.union1d(told, near.places)
    top = max(words.scores.max(initial=0.0), 1e-9)
    fits = scores_at(words, places) / top
    if near is not None and len(near.places):
        order = np.argsort(near.places)
        at, there = positions(near.places[order], places)
        closeness = 1 - near.distances[order][at] / max(float(near.distances.max()), 1.0)
        fits[there] += closeness
    return BroughtUp(places, fits)


def choose(
    words: Words, meaning: Meaning | None, brought: BroughtUp, limit: int
) -> tuple[Talk, Indexes]:
    """The talk around all things brought up, and which of them to rank, in order.

    The best by words, by meaning and by what stands beside them: POOL of them, or twice
    `limit` if that is more.
    """
    pool = max(POOL, 2 * limit)
    talk = Talk.around(words, meaning, np.unique(things_of(brought.places)))
    if len(talk.things) <= pool:
        return talk, np.arange(len(talk.things))
    own = _cheap(talk, scores_of_things(words, talk.things), 0)
    own = own + _IN_WINDOW * share(talk.window(REACH)[0])
    own = own + _IN_SESSION * share(talk.whole_sessions()[0])
    for steps in (-1, 1):
        there = talk.beside[REACH + steps] >= 0
        own = own + _AROUND * np.where(there, _cheap(talk, talk.bm25(steps), steps), 0.0)
    return talk, np.sort(highest(own, pool))


def _cheap(talk: Talk, bm25: Values, steps: int) -> Values:
    """Half by words, half by meaning: 0 to about 1, comparable within one query."""
    top = talk.words.scores.max(initial=0.0)
    score = bm25 / top if top > 0 else np.zeros(len(bm25))
    near = talk.near_by(steps)
    if talk.meaning is not None and near is not None:
        score = score + np.maximum(talk.meaning.scaled(near.best), 0.0)
    return np.asarray(score)


def highest(values: Values, count: int) -> Indexes:
    """Where the `count` highest values stand, the highest first, equals in their order."""
    if count < len(values):
        bound = np.partition(values, len(values) - count)[len(values) - count]
        some = np.flatnonzero(values >= bound)
        return some[np.argsort(-values[some], kind="stable")][:count]
    return np.argsort(-values, kind="stable")


def share(values: Values) -> Values:
    """Values as shares of the highest; all 0 if none is above."""
    top = values.max(initial=0.0)
    return np.asarray(values / top if top > 0 else np.zeros(len(values)))
