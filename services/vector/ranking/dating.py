"""How near in time things are to the dates that a question names."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from services.text.dates import DAY, YEAR, DateSpan
from services.vector.ranking.meaning import Values

# Days after which nearness has fallen to 1/e. People tell of things afterwards, seldom before.
_BEFORE_DAYS = 4.0
_AFTER_A_DAY, _AFTER_LONGER = 10.0, 20.0
# A year holds so much that being in it says little.
_OF_A_YEAR = 0.3


def nearness_in_time(dates: Sequence[DateSpan], days: Values) -> Values:
    """1 for a thing of a day that is named, less by how far it is off, 0 where no date is named.

    `days` are times in days since 1970, in the zone of the dates; NaN where unknown. Of
    several dates the nearest counts; one without a year stands in every year there is.
    """
    nearest = np.zeros(len(days))
    known = days[~np.isnan(days)]
    if not dates or not len(known):
        return nearest
    years = range(_year(known.min()) - 1, _year(known.max()) + 2)
    for span in dates:
        for year in years if span.start is None else years[:1]:
            stretch = span.within(year)
            if stretch is not None:
                start, end = map(_day, stretch)
                nearest = np.fmax(nearest, _nearness(span.grain, start, end, days))
    return nearest


def _nearness(grain: str, start: float, end: float, days: Values) -> Values:
    after = _AFTER_A_DAY if grain == DAY else _AFTER_LONGER
    early = np.maximum(start - days, 0.0) / _BEFORE_DAYS
    late = np.maximum(days - end, 0.0) / after
    return np.asarray(np.exp(-early - late) * (_OF_A_YEAR if grain == YEAR else 1.0))


def _day(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp() / 86_400


def _year(days: float) -> int:
    return datetime.fromtimestamp(days * 86_400, UTC).year
