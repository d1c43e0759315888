"""Which things are ranked in full: cheap scores of all that words or meaning brought up."""

from dataclasses import dataclass

import numpy as np

from services.storage.codes import Nearest, Places, positions
from services.vector.ranking.context import REACH, Talk
from services.vector.ranking.meaning import Meaning, Values
from services.vector.ranking.words import (
    Indexes,
    Words,
    distinct,
    runs,
    scores_at,
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
        begins = runs(of)
        if len(begins) == len(of):
            return self.places.take(of.searchsorted(things))
        order = np.lexsort((-self.fits, of))
        return self.places.take(order.take(begins[of.take(begins).searchsorted(things)]))


def brought_up(words: Words, near: Nearest | None, allowed: Places | None) -> BroughtUp:
    """The best units by words and the nearest ones, of those that may be hits."""
    told, scores = words.places, words.scores
    if allowed is not None:
        kept = positions(told, allowed)[0]
        told, scores = told[kept], scores[kept]
    told = told.take(highest(scores, _BY_WORDS))
    near_places = told[:0] if near is None else near.places
    both = np.concatenate([told, near_places])
    both.sort()
    places = distinct(both)
    fits = scores_at(words, places) / max(words.top, 1e-9)
    if near is not None and len(near_places):
        closeness = 1 - near.distances / max(float(near.distances.max()), 1.0)
        fits[places.searchsorted(near_places)] += closeness
    return BroughtUp(places, fits)


def choose(
    words: Words, meaning: Meaning | None, brought: BroughtUp, limit: int
) -> tuple[Talk, Indexes]:
    """The talk around all things brought up, and which of them to rank, in order.

    The best by words, by meaning and by what stands beside them: POOL of them, or twice
    `limit` where that many would not do. Some signals compare with what else is ranked, so
    who asks for all of a pool (bench fit) must get the one that others get.
    """
    pool = POOL if limit <= POOL else 2 * limit
    talk = Talk.around(words, meaning, distinct(things_of(brought.places)))
    if len(talk.things) <= pool:
        return talk, np.arange(len(talk.things))
    before, own, after = _cheap(talk)
    own = own + _IN_WINDOW * share(talk.window(REACH)[0])
    own = own + _IN_SESSION * share(talk.whole_sessions()[0])
    for steps, beside in ((-1, before), (1, after)):
        own = own + _AROUND * (beside * (talk.beside[REACH + steps] >= 0))
    return talk, np.sort(highest(own, pool))


def _cheap(talk: Talk) -> Values:
    """Half by words, half by meaning, of what stands before each, each, and after: (3, things).

    0 to about 1, comparable within one query.
    """
    words = talk.words
    at = np.stack([talk.at[REACH - 1], talk.own, talk.at[REACH + 1]])
    scores = words.best.take(at) / (words.top or 1.0)
    if talk.meaning is not None and talk.near is not None:
        near = talk.meaning.scaled(talk.near.best)
        scores += np.maximum(near, 0.0).reshape(scores.shape)
    return scores


def highest(values: Values, count: int) -> Indexes:
    """Where the `count` highest values stand, the highest first, equals in their order."""
    if count < len(values):
        bound = np.partition(values, len(values) - count)[len(values) - count]
        some = (values >= bound).nonzero()[0]
        return np.asarray(some.take((-values.take(some)).argsort(kind="stable")[:count]))
    return (-values).argsort(kind="stable")


def share(values: Values) -> Values:
    """Values as shares of the highest; all 0 if none is above."""
    top = values.max(initial=0.0)
    return values / top if top > 0 else np.zeros(len(values))
