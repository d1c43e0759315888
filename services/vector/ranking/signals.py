# ruff: noqa: D102 - SIGNALS says of each what it says
"""The signals: each says one thing about every thing that is ranked, mostly between 0 and 1.

A signal that has nothing to say is 0 for all, and so changes no order: who spoke, when nobody
is named; the turns around, where there are no sessions. The score is the sum of what they say,
times the weights of a ranking profile.
"""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from services.storage.codes import positions
from services.text.traits import ASKS, BY_ASSISTANT, NAMES_TIME, TELLS
from services.vector.ranking.context import REACH
from services.vector.ranking.dating import nearness_in_time
from services.vector.ranking.evidence import Evidence
from services.vector.ranking.meaning import Values, known
from services.vector.ranking.naming import name_terms
from services.vector.ranking.novelty import earlier_as_near, feedback_similarity, likest_earlier
from services.vector.ranking.pool import share
from services.vector.ranking.profile import LEADERS, SIGNALS

# A share of the best says who leads, points by how much: many rare words that meet weigh more
# than a single common one that leads a field of nothing.
_POINTS = 10.0
_LONG_CHARS = 300
# As many terms as a question has in the middle.
_USUAL_TERMS = 5
_MANY_PASSAGES = 8
# Pseudo-relevance feedback takes so many of the best for relevant.
_FEEDBACK = 3
# When all is said, so many; but one in twenty at most, for the mean of all leads nowhere.
_LEADERS = 8
_TO_LEAD = 20


class Signals:
    """The signals of one query, worked out when they are asked for. Names as in SIGNALS."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    def values(self, name: str) -> Values:
        """What a signal says of each thing. KeyError for a name that is none."""
        return np.asarray(self.table([name])[0])

    def table(self, names: Collection[str]) -> Values:
        """What some signals say: a row for each name, an entry for each thing."""
        values = np.empty((len(names), len(self._evidence.things)))
        for row, name in zip(values, names, strict=True):
            row[:] = _FUNCTIONS[name](self)
        values[np.isnan(values)] = 0.0
        return values

    def leaders(self, totals: Values) -> Values:
        """What LEADERS says of each thing, `totals` being the sums of all other shares.

        Of one without a vector as yet it says what it says of the others on average.
        """
        evidence = self._evidence
        count = min(_LEADERS, len(evidence.things) // _TO_LEAD)
        if evidence.meaning is None or not count:
            return evidence.nothing
        said = feedback_similarity(evidence, (-totals).argsort(kind="stable")[:count])
        unknown = np.isnan(evidence.cosine)
        if unknown.any() and not unknown.all():
            said[unknown] = said[~unknown].mean()
        return said

    def bm25(self) -> Values:
        return self._bm25

    def bm25_coverage(self) -> Values:
        words = self._evidence.words
        return np.asarray(self._held @ words.idf / words.total_idf)

    def bm25_person(self) -> Values:
        return self.bm25() * (1.0 - self.assistant())

    def bm25_first_mention(self) -> Values:
        """For each term, 1 for the first thing that holds it, ½ for the second, and so on."""
        words = self._evidence.words
        mentions = words.mentions_before(self._evidence.talk.own)
        return np.asarray((self._held / (1 + mentions)) @ words.idf / words.total_idf)

    def terms_held(self) -> Values:
        """Of the terms that are asked for; those that nothing holds count as well. 0 to 1."""
        asked = (self._evidence.words.idf > 0).astype(float)
        return np.asarray(self._held @ asked / max(float(asked.sum()), 1.0))

    def pairs_held(self) -> Values:
        """Of terms side by side in the query, by the idf of the commoner of the two. 0 to 1.

        0 for all where fewer than two are asked for; a name between two terms parts them.
        """
        idf = self._evidence.words.idf
        weights = np.minimum(idf[:-1], idf[1:])
        both = self._held[:, :-1] & self._held[:, 1:]
        return np.asarray(both @ weights / max(float(weights.sum()), 1e-9))

    def bm25_before(self) -> Values:
        return self._bm25_beside(-1)

    def bm25_after(self) -> Values:
        return self._bm25_beside(1)

    def bm25_turns(self) -> Values:
        return share(self._evidence.talk.window(1)[0])

    def bm25_window(self) -> Values:
        return share(self._window[0])

    def window_coverage(self) -> Values:
        return self._window[1]

    def points_after(self) -> Values:
        return self._evidence.talk.bm25(1) / _POINTS

    def points_window(self) -> Values:
        return self._window[0] / _POINTS

    def points_session(self) -> Values:
        own = self._evidence.bm25 / _POINTS
        return self._alone_if_nowhere(self._session[0] / _POINTS, own)

    def bm25_session(self) -> Values:
        return self._alone_if_nowhere(share(self._session[0]), self.bm25())

    def session_coverage(self) -> Values:
        return self._alone_if_nowhere(self._session[1], self.bm25_coverage())

    def session_similarity(self) -> Values:
        """The nearest thing of its session that is ranked."""
        similarity = np.maximum(self.similarity(), 0.0)
        return self._alone_if_nowhere(self._evidence.talk.sessions.best(similarity), similarity)

    def similarity(self) -> Values:
        return self._similarity

    def similarity_first(self) -> Values:
        return self._scaled(self._evidence.first_cosine).clip(-1.0, 2.0)

    def similarity_mean(self) -> Values:
        evidence = self._evidence
        if evidence.meaning is None or evidence.nearness is None:
            return evidence.nothing
        return evidence.meaning.scaled(evidence.nearness.mean).clip(-1.0, 2.0)

    def similarity_before(self) -> Values:
        return self._similarity_beside(-1)

    def similarity_after(self) -> Values:
        return self._similarity_beside(1)

    def memory(self) -> Values:
        """How near the nearest memory is that was taken from it."""
        evidence = self._evidence
        if evidence.derived is None or evidence.meaning is None:
            return evidence.nothing
        return evidence.meaning.scaled(evidence.derived).clip(0.0, 1.5)

    def speaker(self) -> Values:
        """1 where one who is named in the query speaks; 0 for all if that parts nothing."""
        evidence = self._evidence
        if not evidence.named:
            return evidence.nothing
        speakers = evidence.units.speakers
        meant = {each for each in set(speakers) if name_terms(each) & evidence.named}
        speaks = np.array([each in meant for each in speakers], float)
        return speaks if speaks.size and speaks.min() < speaks.max() else evidence.nothing

    def date(self) -> Values:
        return nearness_in_time(self._evidence.question.dates, self._evidence.event_days)

    def names_time(self) -> Values:
        asks = self._evidence.question.asks_when
        return self._trait(NAMES_TIME) if asks else self._evidence.nothing

    def asks(self) -> Values:
        return self._trait(ASKS)

    def assistant(self) -> Values:
        return self._trait(BY_ASSISTANT)

    def tells(self) -> Values:
        return self._trait(TELLS)

    def feedback(self) -> Values:
        """Cosine with the mean of the vectors of the three that fit best by words and meaning."""
        evidence = self._evidence
        if evidence.meaning is None:
            return evidence.nothing
        fits = 0.4 * self.bm25() + 0.6 * self.similarity() + 0.3 * self.bm25_window()
        best = (-fits).argsort(kind="stable")[:_FEEDBACK]
        return feedback_similarity(evidence, best)

    def length(self) -> Values:
        units = self._evidence.units
        sizes = units.end_offsets - units.start_offsets
        return np.asarray(np.minimum(sizes, _LONG_CHARS) / _LONG_CHARS)

    def length_by_words(self) -> Values:
        """Many words ask for much, which long things say; few ask for a fact. −1.6 to 2.6."""
        return self.length() * self._broadness

    def asks_by_words(self) -> Values:
        """Whoever asks for a fact wants no question back. −1.6 to 2.6."""
        return self.asks() * self._broadness

    def passages_by_words(self) -> Values:
        """As length_by_words has it, of what is longer than a passage. −3.4 to 5.3."""
        return self.passages() * self._broadness

    def passages(self) -> Values:
        nearness = self._evidence.nearness
        if nearness is None:
            return self._evidence.nothing
        return np.asarray(np.log(nearness.count.clip(1, _MANY_PASSAGES)), float)

    def novelty(self) -> Values:
        """How unlike everything said before it that is ranked: 0 for a repetition."""
        return self._where_said(1.0 - likest_earlier(self._evidence))

    def precedence(self) -> Values:
        """e^(−n ÷ 5) for n earlier things as near to the query: who says it first is favoured."""
        return self._where_said(np.exp(-self._earlier / 5.0))

    def slow_precedence(self) -> Values:
        """e^(−n ÷ 15), n as above: favours the beginning among many that say it."""
        return self._where_said(np.exp(-self._earlier / 15.0))

    @cached_property
    def _broadness(self) -> float:
        """How many terms the query has, against a usual one: below 0 for fewer, at most 2.6."""
        return float(np.log(max(len(self._evidence.question.terms), 1) / _USUAL_TERMS))

    @cached_property
    def _earlier(self) -> Values:
        return earlier_as_near(self._evidence, self.similarity())

    @cached_property
    def _held(self) -> NDArray[np.bool_]:
        """(things, terms): which terms each holds."""
        return self._evidence.talk.turns.frequencies > 0

    @cached_property
    def _bm25(self) -> Values:
        return share(self._evidence.bm25)

    @cached_property
    def _similarity(self) -> Values:
        return self._scaled(self._evidence.cosine)

    @cached_property
    def _window(self) -> tuple[Values, Values]:
        return self._evidence.talk.window(REACH)

    @cached_property
    def _session(self) -> tuple[Values, Values]:
        return self._evidence.talk.whole_sessions()

    def _scaled(self, cosines: Values) -> Values:
        """Cosines such that what says nothing is 0 and the nearest that is ranked is 1."""
        evidence = self._evidence
        if evidence.meaning is None:
            return evidence.nothing
        typical = evidence.meaning.typical
        top = max(np.fmax.reduce(evidence.cosine, initial=-1.0), typical + 1e-3)
        return known((cosines - typical) / (top - typical))

    def _bm25_beside(self, steps: int) -> Values:
        evidence = self._evidence
        top = evidence.bm25.max(initial=0.0)
        return evidence.talk.bm25(steps) / top if top > 0 else evidence.nothing

    def _similarity_beside(self, steps: int) -> Values:
        evidence = self._evidence
        beside = evidence.talk.near_by(steps)
        if evidence.meaning is None or beside is None:
            return evidence.nothing
        near = evidence.meaning.scaled(beside.best)
        # What is ranked itself is known better than by its code.
        at, there = positions(evidence.things, evidence.talk.beside[REACH + steps])
        near[there] = self.similarity()[at]
        return np.maximum(near, 0.0)

    def _alone_if_nowhere(self, of_session: Values, own: Values) -> Values:
        """What stands in no session (a memory that was added) is one by itself."""
        return np.where(self._evidence.said, of_session, own)

    def _where_said(self, values: Values) -> Values:
        """Only what was said has a before: the rest is neither favoured nor put back for it."""
        said = self._evidence.said
        return np.where(said, values, values[said].mean() if said.any() else 0.0)

    def _trait(self, flag: int) -> Values:
        return np.asarray(self._evidence.units.traits & flag != 0, float)


_FUNCTIONS: Mapping[str, Callable[[Signals], Values]] = {
    name: getattr(Signals, name) for name in SIGNALS if name != LEADERS
}
