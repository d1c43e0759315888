"""A query as the signals see it: its terms, the dates it names, and whether it asks when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray

from services.text.dates import DateSpan, dates_in
from services.text.terms import query_terms

_ASKS_WHEN = regex.compile(
    r"""^\s*(?:when|since\ when|how\ long|what\ (?:date|day|month|year|time)
      |which\ (?:date|day|month|year)|how\ many\ (?:days|weeks|months|years))\b
      |\bhow\ long\ ago\b
      |什么时候|什麼時候|何时|何時|哪[天年]|几[月号]""",
    regex.VERBOSE | regex.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for.

    `terms` are its different terms; `embedding` its vector (None: by words alone); `dates` the
    days, months and years it names, in the zone of who asks, whose offset from UTC at that
    moment is `utc_offset_seconds`; `asks_when` whether the answer is a time.
    """

    terms: tuple[str, ...]
    embedding: NDArray[np.floating[Any]] | None
    dates: tuple[DateSpan, ...]
    utc_offset_seconds: float
    asks_when: bool


def read_question(
    text: str, embedding: NDArray[np.floating[Any]] | None, asked_at: datetime
) -> Question:
    """Reads a query. `asked_at` is aware, in the zone of who asks: "yesterday" counts from it."""
    offset = asked_at.utcoffset()
    return Question(
        query_terms(text),
        embedding,
        dates_in(text, asked_at),
        offset.total_seconds() if offset else 0.0,
        _ASKS_WHEN.search(text) is not None,
    )
