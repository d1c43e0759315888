"""Ranking profiles: which signals count, and how much."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Literal

Fusion = Literal["signals", "reciprocal_ranks"]

DEFAULT = "default"
NEUROMEM = "neuromem"


@dataclass(frozen=True, slots=True)
class Weight:
    """A signal's weight where what is searched is short (chat), and where it is long."""

    short: float
    long: float


@dataclass(frozen=True, slots=True)
class Profile:
    """A named way to rank.

    `signals` are weights by the names in SIGNALS; they say nothing for reciprocal ranks. The
    strengths, 0 to 1, are of recall's factors: a factor counts as 1 − strength + strength × it.
    """

    name: str
    description: str = ""
    signals: Mapping[str, Weight] = field(default_factory=dict)
    recency: float = 0.0
    importance: float = 0.0
    graph_boost: float = 0.0
    fusion: Fusion = "signals"


SIGNALS: Mapping[str, str] = {
    "bm25": "BM25 of its best passage, as a share of the best there is: 0 to 1.",
    "bm25_person": "bm25, if a person wrote it; else 0.",
    "bm25_coverage": "The share of the words' idf that it holds: 0 to 1.",
    "bm25_first_mention": (
        "The share of the words' idf, each term divided by which mention of it this is: 0 to 1."
    ),
    "terms_held": "The share of the query's words that it holds, rare ones or not: 0 to 1.",
    "pairs_held": (
        "The share of the pairs of words that stand side by side in the query that it holds, by "
        "the idf of the commoner: 0 to 1."
    ),
    "bm25_before": (
        "BM25 of the message before it in the session (or chunk of the file), as a share of "
        "the best: 0 to 1."
    ),
    "bm25_after": "BM25 of the message after it, likewise: 0 to 1.",
    "bm25_turns": "BM25 of it and those beside it as one text, as a share of the best: 0 to 1.",
    "bm25_window": "BM25 of it and two on each side as one text, as a share of the best: 0 to 1.",
    "window_coverage": "The share of the words' idf that those five hold: 0 to 1.",
    "points_after": "BM25 of the message after it, in points of 10: from 0, whatever others have.",
    "points_window": "BM25 of it and two on each side, likewise: from 0.",
    "points_session": "BM25 of its whole session or file, likewise: from 0.",
    "bm25_session": (
        "BM25 of its whole session or file as one text, as a share of the best: 0 to 1."
    ),
    "session_coverage": "The share of the words' idf that its session or file holds: 0 to 1.",
    "session_similarity": "The similarity of the nearest of its session: 0 to 1.",
    "similarity": (
        "Cosine of its best passage, such that 0 is the typical one of all and 1 the nearest."
    ),
    "similarity_first": "The same of its first passage: −1 to 2.",
    "similarity_mean": "The mean over its passages, estimated from their codes: −1 to 2.",
    "similarity_before": "The similarity of the message before it, estimated: from 0.",
    "similarity_after": "The similarity of the message after it, estimated: from 0.",
    "memory": (
        "The similarity of the nearest memory that was extracted from it, estimated: 0 to 1.5."
    ),
    "speaker": "1 if one whom the query names says it, where others speak as well; else 0.",
    "date": "How near it is in time to a date that the query names: 0 to 1; 0 if none is named.",
    "names_time": "1 if the query asks when, and it says when; else 0.",
    "asks": "1 if it ends in a question mark; else 0.",
    "assistant": "1 if a model or a tool wrote it; else 0.",
    "tells": "1 if it tells of something that who says it did; else 0.",
    "feedback": "Cosine with the mean of the three that fit best: −1 to 1.",
    "length": "Its passage's length, of up to 300 characters: 0 to 1.",
    "length_by_words": "length, times ln of a fifth of how many words are asked for: −1.6 to 2.6.",
    "asks_by_words": "asks, likewise.",
    "passages_by_words": "passages, likewise: −3.4 to 5.3.",
    "passages": "ln of how many passages it has, of up to 8: 0 to 2.1.",
    "novelty": ("1 less the cosine of the likest earlier one that is ranked, 0 to 1."),
    "precedence": "e^(−n ÷ 5) for n earlier ones as near to the query: 0 to 1.",
    "slow_precedence": "e^(−n ÷ 15), n likewise: 0 to 1.",
    "leaders": (
        "Cosine with the mean of those that come first by all other signals, one in twenty and "
        "eight at most: −1 to 1."
    ),
}
"""What each signal says, by its name."""

LEADERS = "leaders"
"""The signal that can only speak when all others have."""


def _built_in() -> Mapping[str, Profile]:
    told = tomllib.loads(files(__package__).joinpath("profiles.toml").read_text("utf-8"))
    return {
        name: Profile(
            name,
            **{
                **each,
                "signals": {
                    key: Weight(**weight) for key, weight in each.get("signals", {}).items()
                },
            },
        )
        for name, each in told.items()
    }


BUILT_IN: Mapping[str, Profile] = _built_in()
"""The profiles that come with the server, by their names."""
