"""How what was found is scored: score = relevance × Π (1 − strength + strength × factor).

The factors are recency, importance and graph boost; the ranking profile says how strong each
is. Each is a function of its own, and travels with the answer, so that a caller can work the
score out again.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.text.terms import analyze

DEFAULT_DECAY = timedelta(days=30)
NEUTRAL_IMPORTANCE = 0.5
BOTH_ENDS, ONE_END, MOST_BOOST = 0.5, 0.2, 2.0
# Facts that boost: the ones that say the most of what was asked. More would boost everything.
BOOSTING_FACTS = 3
# A fact of the graph counts like a memory of middling importance.
FACT_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of the graph, as far as scoring looks at it. `confidence` is 0 to 1."""

    subject: str
    relation: str
    object: str
    content: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Strengths:
    """How much each factor counts: 0 not at all, 1 in full."""

    recency: float = 0.0
    importance: float = 0.0
    graph_boost: float = 0.0


@dataclass(frozen=True, slots=True)
class Factors:
    """What a score is made of. `relevance` is what the search says: about 0 to 1."""

    relevance: float
    recency: float
    importance: float
    graph_boost: float

    def score(self, strengths: Strengths) -> float:
        """About 0 to 2, comparable within one answer."""
        return (
            self.relevance
            * _damped(self.recency, strengths.recency)
            * _damped(self.importance, strengths.importance)
            * _damped(self.graph_boost, strengths.graph_boost)
        )


def _damped(factor: float, strength: float) -> float:
    return 1.0 - strength + strength * factor


def recency(age: timedelta, decay: timedelta, arousal: float) -> float:
    """e^(−age ÷ (decay × (1 + 0.5 × arousal))): 1 for new, towards 0 for old.

    A stirring memory (arousal 1) fades at two thirds of the speed of a calm one. An age
    below zero, which only a skewed clock gives, counts as zero.
    """
    slowed = decay.total_seconds() * (1 + 0.5 * arousal)
    return math.exp(-max(0.0, age.total_seconds()) / slowed)


def age_of(stored: datetime, now: datetime) -> timedelta:
    """How old something is."""
    return now - stored


def importance_factor(importance: int | None) -> float:
    """importance ÷ 10, and 0.5 where none is known."""
    return NEUTRAL_IMPORTANCE if importance is None else importance / 10


def coverage(fact: Fact, query_terms: frozenset[str]) -> float:
    """The share of the query's terms that a fact holds: 0 to 1, 0 for a query without terms."""
    if not query_terms:
        return 0.0
    # WORKS_AT is read as "works at", so that "work" in a question meets it.
    relation = fact.relation.replace("_", " ")
    words = analyze(f"{fact.subject} {relation} {fact.object} {fact.content}")
    return len(query_terms & words.frequencies.keys()) / len(query_terms)


def fact_score(fact: Fact, query_terms: frozenset[str]) -> float:
    """confidence × coverage × 0.5: what a fact counts in the merged list."""
    return weighed(fact, coverage(fact, query_terms))


def weighed(fact: Fact, covered: float) -> float:
    """`fact_score` of a fact whose coverage is known."""
    return fact.confidence * covered * FACT_WEIGHT


class GraphBoost:
    """Boosts what names the ends of the facts that say the most of what was asked.

    A fact that shares nothing with the question but the name of one end says nothing of it:
    everything that is known of Maya names Maya.
    """

    def __init__(
        self,
        facts: Sequence[Fact],
        query_terms: frozenset[str],
        coverages: Sequence[float] | None = None,
    ) -> None:
        """`coverages` are those of the facts, where they are known."""
        if coverages is None:
            coverages = [coverage(fact, query_terms) for fact in facts]
        best = _best_telling(sorted(zip(coverages, facts, strict=True), key=_most), query_terms)
        self._ends = [(_naming(fact.subject), _naming(fact.object)) for fact in best]

    def __call__(self, content: str) -> float:
        """min(1 + coverage, 2) of one content; 1 where it names nothing of them."""
        return min(1.0 + self.coverage(content), MOST_BOOST)

    def coverage(self, content: str) -> float:
        """0.5 for each fact of which it names both ends, 0.2 where it names one."""
        covered = 0.0
        for subject, object_ in self._ends:
            named = bool(subject.search(content)) + bool(object_.search(content))
            covered += BOTH_ENDS if named == 2 else ONE_END * named
        return covered


def _most(covered: tuple[float, Fact]) -> float:
    return -covered[0]


def _best_telling(ranked: Iterable[tuple[float, Fact]], query_terms: frozenset[str]) -> list[Fact]:
    """The first facts that tell, as far as they say as much as the first of them."""
    best: list[Fact] = []
    most = 0.0
    for share, fact in ranked:
        if share <= 0 or share < most or len(best) == BOOSTING_FACTS:
            break
        if _tells(fact, query_terms):
            most = share
            best.append(fact)
    return best


def _tells(fact: Fact, query_terms: frozenset[str]) -> bool:
    """Whether it shares with the query both of its ends, or a word that names neither."""
    subject, object_ = (analyze(end).frequencies.keys() for end in (fact.subject, fact.object))
    if query_terms & subject and query_terms & object_:
        return True
    said = analyze(f"{fact.relation.replace('_', ' ')} {fact.content}").frequencies.keys()
    return bool(query_terms & (said - subject - object_))


def _naming(name: str) -> re.Pattern[str]:
    """Finds a name as a whole: "Ann" is not in "Anna". Scripts without spaces have no edges."""
    return re.compile(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])|{_unspaced(name)}", re.IGNORECASE)


def _unspaced(name: str) -> str:
    """The name anywhere, if it is of a script that is written without spaces; else nothing."""
    wide = any("\u3040" <= character <= "\u9fff" for character in name)
    return re.escape(name) if wide else r"(?!)"
