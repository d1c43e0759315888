"""Dates that a question names: "7 May 2023", "in August", "last May", "two weeks before 3 June".

English, and dates in figures (2023-05-07). What is relative counts from a moment that the
caller gives, in his time zone. A month without a year names that month of every year.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import regex
from dateutil.relativedelta import relativedelta

DAY, MONTH, YEAR = "day", "month", "year"

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH_NUMBERS = {
    name: number
    for number, month in enumerate(_MONTHS, 1)
    for name in {month, month[:3], *(["sept"] if month == "september" else [])}
}
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_NUMBERS = {
    name: number
    for number, name in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 1
    )
} | {"a": 1, "an": 1, "a couple of": 2, "a few": 3, "few": 3}
_MONTH = "|".join(sorted(_MONTH_NUMBERS, key=len, reverse=True))
_COUNT = r"a\ couple\ of|a\ few|few|an?|one|two|three|four|five|six|seven|eight|nine|ten|\d{1,3}"
_DATE = rf"""
    (?<iso> (?<iy>\d{{4}})-(?<im>\d{{1,2}})-(?<id>\d{{1,2}}) )
  | (?<d>\d{{1,2}})(?:st|nd|rd|th)?\ (?:of\ )?(?<m>{_MONTH})\b\.?(?:,?\ (?<y>\d{{4}}))?
  | (?<m>{_MONTH})\b\.?\ (?:the\ )?(?<d>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?\ (?<y>\d{{4}}))?
  | (?<m>{_MONTH})\b\.?,?(?:\ of)?\ (?<y>\d{{4}})
  | (?<last>last|this|next)\ (?<rm>{_MONTH})\b
  | (?<bare>{_MONTH})\b
  | (?<year>(?:19|20)\d\d)
"""
_EXPRESSION = regex.compile(
    rf"""\b(?:
        (?:(?<count>{_COUNT})\ (?<unit>day|week|month|year)s?\ (?<way>before|after)\ (?:the\ )?)?
        (?:{_DATE})
      | (?<ago>{_COUNT})\ (?<agounit>day|week|month|year)s?\ ago
      | (?<lastperiod>last|this|next)\ (?<period>week|weekend|month|year|{"|".join(_WEEKDAYS)})
      | (?<near>yesterday|today|tomorrow)
    )\b""",
    regex.VERBOSE | regex.IGNORECASE,
)
# "may" and "march" are words as well: as months they stand behind one of these.
_BEFORE_MONTH = regex.compile(
    r"\b(?:in|of|during|since|by|until|till|early|late|mid|before|after|from|to|and|or)\s*$",
    regex.IGNORECASE,
)
# That word, with the white space behind it: a text of a thousand months is not read a thousand
# times.
_LOOKED_BACK = 16


@dataclass(frozen=True, slots=True)
class DateSpan:
    """A stretch of days that a question names. Of `grain` DAY, MONTH or YEAR.

    Either from `start` (inclusive) to `end` (exclusive), or, with both None, the `month` (and
    `day`, if not None) of every year.
    """

    grain: str
    start: datetime | None = None
    end: datetime | None = None
    month: int = 0
    day: int | None = None

    def within(self, year: int) -> tuple[datetime, datetime] | None:
        """Its start and end in that year, naive in UTC; None where there is no such day."""
        if self.start is not None and self.end is not None:
            return self.start, self.end
        return _stretch(year, self.month, self.day)


def dates_in(text: str, now: datetime) -> tuple[DateSpan, ...]:
    """The dates that a text names. `now` is aware, in the zone of who asks.

    Spans are naive, as days of that zone.
    """
    today = datetime(now.year, now.month, now.day)  # noqa: DTZ001 - days of the asker's zone
    spans: list[DateSpan] = []
    for match in _EXPRESSION.finditer(text):
        before = text[max(0, match.start() - _LOOKED_BACK) : match.start()]
        try:
            spans.extend(_spans(match, before, today))
        except (ValueError, OverflowError):
            continue  # before the year 1 or after 9999: no date
    return tuple(dict.fromkeys(spans))


def _spans(match: regex.Match[str], before: str, today: datetime) -> Iterator[DateSpan]:
    group = {name: value.lower() for name, value in match.groupdict().items() if value}
    if "near" in group:
        yield _day(today + timedelta({"yesterday": -1, "today": 0, "tomorrow": 1}[group["near"]]))
    elif "ago" in group:
        yield _around(today, group["agounit"], -_count(group["ago"]))
    elif "period" in group:
        yield _period(today, group["lastperiod"], group["period"])
    elif "count" in group:
        for span in _named(group, "in", today):
            yield _shifted(span, group)
    else:
        yield from _named(group, before, today)


def _named(group: dict[str, str], before: str, today: datetime) -> Iterator[DateSpan]:
    if "iso" in group:
        found = _stretch(int(group["iy"]), int(group["im"]), int(group["id"]))
        if found:
            yield DateSpan(DAY, *found)
    elif "m" in group:
        month, day = _MONTH_NUMBERS[group["m"]], int(group["d"]) if "d" in group else None
        grain = MONTH if day is None else DAY
        if "y" not in group:
            yield DateSpan(grain, month=month, day=day)
        elif found := _stretch(int(group["y"]), month, day):
            yield DateSpan(grain, *found)
    elif "rm" in group:
        yield _named_month(today, group["last"], _MONTH_NUMBERS[group["rm"]])
    elif "bare" in group:
        if group["bare"] not in ("may", "mar", "march") or _BEFORE_MONTH.search(before):
            yield DateSpan(MONTH, month=_MONTH_NUMBERS[group["bare"]])
    elif "year" in group:
        start = datetime(int(group["year"]), 1, 1)  # noqa: DTZ001
        yield DateSpan(YEAR, start, start + relativedelta(years=1))


def _named_month(today: datetime, which: str, month: int) -> DateSpan:
    """ "last May" is the latest one that is over or running; "next May" the first to come."""
    year = today.year
    if which == "last" and month > today.month:
        year -= 1
    elif which == "next" and month <= today.month:
        year += 1
    start = datetime(year, month, 1)  # noqa: DTZ001
    return DateSpan(MONTH, start, start + relativedelta(months=1))


def _period(today: datetime, which: str, period: str) -> DateSpan:
    step = {"last": -1, "this": 0, "next": 1}[which]
    monday = today - timedelta(today.weekday())
    if period in _WEEKDAYS:
        day = monday + timedelta(_WEEKDAYS.index(period))
        if which == "last" and day >= today:
            day -= timedelta(7)
        elif which == "next" and day <= today:
            day += timedelta(7)
        return _day(day)
    if period == "week":
        start = monday + timedelta(7 * step)
        return DateSpan(DAY, start, start + timedelta(7))
    if period == "weekend":
        start = monday + timedelta(5 + 7 * step)
        return DateSpan(DAY, start, start + timedelta(2))
    if period == "month":
        start = today.replace(day=1) + relativedelta(months=step)
        return DateSpan(MONTH, start, start + relativedelta(months=1))
    start = today.replace(month=1, day=1) + relativedelta(years=step)
    return DateSpan(YEAR, start, start + relativedelta(years=1))


def _around(today: datetime, unit: str, count: int) -> DateSpan:
    """So many units away: the day, or as wide as the unit is vague."""
    middle = _moved(today, unit, count)
    if unit == "day":
        return _day(middle)
    if unit == "week":
        return DateSpan(DAY, middle - timedelta(3), middle + timedelta(4))
    if unit == "month":
        return DateSpan(MONTH, middle - timedelta(15), middle + timedelta(16))
    return DateSpan(YEAR, middle - timedelta(182), middle + timedelta(183))


def _shifted(span: DateSpan, group: dict[str, str]) -> DateSpan:
    """ "two weeks before 7 May 2023". Without a year nothing is known to shift: the month stays."""
    if span.start is None or span.end is None:
        return span
    count = _count(group["count"]) * (-1 if group["way"] == "before" else 1)
    return DateSpan(
        span.grain,
        _moved(span.start, group["unit"], count),
        _moved(span.end, group["unit"], count),
    )


def _moved(moment: datetime, unit: str, count: int) -> datetime:
    steps = {
        "day": relativedelta(days=count),
        "week": relativedelta(weeks=count),
        "month": relativedelta(months=count),
        "year": relativedelta(years=count),
    }
    try:
        moved: datetime = moment + steps[unit]
    except (ValueError, OverflowError):
        moved = moment  # a thousand years ago is before every calendar here
    return moved


def _day(day: datetime) -> DateSpan:
    return DateSpan(DAY, day, day + timedelta(1))


def _stretch(year: int, month: int, day: int | None) -> tuple[datetime, datetime] | None:
    try:
        start = datetime(year, month, day or 1)  # noqa: DTZ001
        return start, start + (relativedelta(months=1) if day is None else timedelta(1))
    except (ValueError, OverflowError):
        return None


def _count(text: str) -> int:
    return _NUMBERS.get(text) or int(text)
