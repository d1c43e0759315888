"""When something happened: time phrases of English, resolved against the moment of speaking.

Own rules rather than a date library's search: that one takes 0.5 ms a sentence and reads "may" and
"sat" as dates. Here a sentence without a time word costs one set intersection.

A phrase names a period ("last week"); what is kept is the period's start, as midnight in the
speaker's zone. Weeks start on Monday. Without a word about the future the past is meant: "in May"
is the latest May that has begun.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from services.runtime.limits import is_accepted

MONTHS = (
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
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SEASONS = {"spring": 3, "summer": 6, "fall": 9, "autumn": 9, "winter": 12}
NUMBERS = {
    word: number
    for number, words in enumerate(
        (
            (),
            ("a", "an", "one"),
            ("two", "couple"),
            ("three", "few"),
            ("four", "several"),
            ("five",),
            ("six",),
            ("seven",),
            ("eight",),
            ("nine",),
            ("ten",),
            ("eleven",),
            ("twelve",),
        )
    )
    for word in words
}
MONTH_NUMBER = {
    name: number for number, month in enumerate(MONTHS, 1) for name in {month, month[:3]}
} | {"sept": 9}
DAY_NUMBER = {
    name: number
    for number, day in enumerate(WEEKDAYS)
    for name in {day, day[:3], day[:4], day[:5]}
    if name != "wedn"
}

# One of these words is in every phrase below.
TRIGGERS = frozenset(
    {"yesterday", "today", "tonight", "tomorrow", "ago", "last", "next", "this", "past", "back"}
    | {"coming", "time", "earlier"}
    | set(MONTH_NUMBER)
    | set(WEEKDAYS)
)
YEAR = re.compile(r"\b(?:19|20)\d\d\b")
FUTURE = re.compile(
    r"\b(?:will|going to|gonna|tomorrow|next|coming|upcoming|plan(?:s|ning)?|hop(?:e|ing)|"
    r"leav(?:e|ing)|(?:is|are|am|i'm|we're) \w+ing|can't wait|looking forward|scheduled|due|by)\b"
    r"|'ll\b"
)

_MONTH = "(?P<month>" + "|".join(sorted(MONTH_NUMBER, key=len, reverse=True)) + r")\.?"
_DAY_NAME = "(?P<weekday>" + "|".join(sorted(DAY_NUMBER, key=len, reverse=True)) + ")"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_COUNT = r"(?P<count>\d{1,3}|" + "|".join(NUMBERS) + r")(?: of)?"
_UNIT = r"(?P<unit>minute|hour|day|week|weekend|month|year)s?"
_SIDE = r"(?P<side>last|past|this past|this coming|coming|next|this)"

_ISO_DATE = re.compile(r"\b(?P<year>(?:19|20)\d\d)-(?P<number>\d\d)-(?P<day>\d\d)\b")
_DAY_MONTH = re.compile(
    rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}\b(?:,? {_YEAR}\b)?"
)
_MONTH_DAY = re.compile(
    rf"\b{_MONTH} (?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:|\d)(?:,? {_YEAR}\b)?"
)
_MONTH_YEAR = re.compile(rf"\b{_MONTH}(?: of)?,? {_YEAR}\b")
_MONTH_ONLY = re.compile(
    rf"\b(?P<lead>in|since|last|next|this|during|back in|by|until|early|late|mid)"
    rf"[ -]{_MONTH}\b(?! \d)"
)
_AGO = re.compile(rf"\b{_COUNT} {_UNIT} (?:ago|back|earlier)\b")
_IN_FUTURE = re.compile(rf"\bin {_COUNT} {_UNIT}(?:'? time)?\b")
_NAMED_DAY = re.compile(
    r"\b(?P<name>the day before yesterday|day before yesterday|the day after tomorrow|"
    r"day after tomorrow|yesterday|last night|today|tonight|tomorrow|"
    r"this (?:morning|afternoon|evening))\b"
)
_NAMED_DAYS = {
    "day before yesterday": -2,
    "yesterday": -1,
    "last night": -1,
    "tomorrow": 1,
    "day after tomorrow": 2,
}
_RELATIVE = re.compile(
    rf"\b{_SIDE} (?:{_DAY_NAME}|(?P<unit>week|weekend|month|year)|"
    r"(?P<season>spring|summer|fall|autumn|winter))\b"
)
_WEEKDAY = re.compile(r"\b(?:on |this )?(?P<weekday>" + "|".join(WEEKDAYS) + r")\b(?!s)")
_IN_YEAR = re.compile(rf"\b(?:in|since|during|back in|of|until|by) {_YEAR}\b")


Resolve = Callable[[re.Match[str], datetime, bool], date | datetime | None]
"""Works out what a match names, at a moment in the speaker's zone; whether the future is meant."""


@dataclass(frozen=True, slots=True)
class TimeMention:
    """A phrase of a sentence and the start of the period it names, in UTC.

    `begin` and `end` are the phrase's place in the sentence; `since` says that it was introduced as
    a beginning ("since 2019").
    """

    start: datetime
    begin: int
    end: int
    since: bool
    future: bool


def has_time_word(words: frozenset[str], lower: str) -> bool:
    """Whether looking closer can find anything: the cheap test before `find_time`."""
    return (
        not TRIGGERS.isdisjoint(words)
        or (any(character.isdigit() for character in lower) and YEAR.search(lower) is not None)
        or ("in" in words and _IN_FUTURE.search(lower) is not None)
    )


def find_time(text: str, said_at: datetime, zone: tzinfo) -> TimeMention | None:
    """The first phrase that can be resolved, the more exact kinds first. None without one."""
    lower = text.lower()
    future = FUTURE.search(lower) is not None
    for pattern, resolve in _RULES:
        for match in pattern.finditer(lower):
            start = start_of(match, said_at, zone, resolve, future=future)
            if start is not None:
                before = lower[max(0, match.start() - 6) : match.start()] + match.group()
                since = "since " in before
                return TimeMention(start, match.start(), match.end(), since, start > said_at)
    return None


def start_of(
    match: re.Match[str], said_at: datetime, zone: tzinfo, resolve: Resolve, *, future: bool
) -> datetime | None:
    """The start of the period that a phrase names, in UTC.

    None if the phrase names none, or one beyond what the calendar or the contract holds: a time
    that can't be worked out is no time.
    """
    try:
        start = resolve(match, said_at.astimezone(zone), future)
        if start is None:
            return None
        if not isinstance(start, datetime):
            start = datetime.combine(start, time(), zone)
        start = start.astimezone(UTC)
    except (ValueError, OverflowError):  # the 31st of February, a hundred centuries ago
        return None
    return start if is_accepted(start) else None


def _iso_date(match: re.Match[str], _now: datetime, _future: bool) -> date | None:
    return _date(int(match["year"]), int(match["number"]), int(match["day"]))


def _calendar_day(match: re.Match[str], now: datetime, future: bool) -> date | None:
    """A day with its month; the year is the nearest on the side that is meant."""
    month, day = MONTH_NUMBER[match["month"]], int(match["day"])
    if match["year"]:
        return _date(int(match["year"]), month, day)
    today = now.date()
    for year in (today.year, today.year + 1) if future else (today.year, today.year - 1):
        found = _date(year, month, day)
        if found and (found >= today if future else found <= today):
            return found
    return None


def _month_year(match: re.Match[str], _now: datetime, _future: bool) -> date | None:
    return _date(int(match["year"]), MONTH_NUMBER[match["month"]], 1)


def _month_only(match: re.Match[str], now: datetime, future: bool) -> date | None:
    month, lead = MONTH_NUMBER[match["month"]], match["lead"]
    if lead == "this":
        return date(now.year, month, 1)
    if lead == "next" or (future and lead != "last"):
        return date(now.year + (month <= now.month), month, 1)
    passed = month < now.month if lead == "last" else month <= now.month
    return date(now.year - (not passed), month, 1)


def _ago(match: re.Match[str], now: datetime, _future: bool) -> date | datetime:
    return _shifted(now, -_count(match["count"]), match["unit"])


def _in_future(match: re.Match[str], now: datetime, future: bool) -> date | datetime | None:
    # "in two weeks" may also be how long it took.
    if not future and "time" not in match.group():
        return None
    return _shifted(now, _count(match["count"]), match["unit"])


def _named_day(match: re.Match[str], now: datetime, _future: bool) -> date:
    name = match["name"].removeprefix("the ")
    return now.date() + timedelta(days=_NAMED_DAYS.get(name, 0))


def _relative(match: re.Match[str], now: datetime, _future: bool) -> date | None:
    """ "last Friday", "next month", "this summer", "this past weekend"."""
    side = {"past": -1, "last": -1, "this past": -1, "this": 0}.get(match["side"], 1)
    today = now.date()
    if match["weekday"]:
        return _weekday_on_side(today, DAY_NUMBER[match["weekday"]], side)
    if match["season"]:
        month = SEASONS[match["season"]]
        if side < 0:
            over = today.month >= month + 3
            return date(today.year - (not over), month, 1)
        return date(today.year + (side > 0 and today.month >= month), month, 1)
    if match["unit"] == "weekend":
        return _weekend(today, side)
    return _period_start(_shifted(now, side, match["unit"]), match["unit"])


def _weekday(match: re.Match[str], now: datetime, future: bool) -> date:
    return _weekday_on_side(now.date(), DAY_NUMBER[match["weekday"]], 0 if future else -1)


def _in_year(match: re.Match[str], _now: datetime, _future: bool) -> date | None:
    return _date(int(match["year"]), 1, 1)


def _weekday_on_side(today: date, weekday: int, side: int) -> date:
    """The latest such day before today (-1), the coming one or today (0), the one after (1)."""
    ahead = (weekday - today.weekday()) % 7
    if side < 0:
        return today - timedelta(days=7 - ahead)
    return today + timedelta(days=ahead or (7 if side else 0))


def _weekend(today: date, side: int) -> date:
    """The Saturday of the last, this or next weekend."""
    in_weekend = today.weekday() >= 5
    saturday = today + timedelta(days=5 - today.weekday())
    if side == 0 or (side > 0 and not in_weekend):
        return saturday
    return saturday + timedelta(days=7 * side)


def _count(word: str) -> int:
    return int(word) if word.isdigit() else NUMBERS[word]


def _shifted(now: datetime, count: int, unit: str) -> date | datetime:
    today = now.date()
    if unit in ("minute", "hour"):
        return now + timedelta(minutes=count * (60 if unit == "hour" else 1))
    if unit == "weekend":
        return _weekend(today, -1) + timedelta(days=7 * (count + 1))
    if unit in ("day", "week"):
        return today + timedelta(days=count * (7 if unit == "week" else 1))
    months = today.year * 12 + today.month - 1 + count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(today.day, 28))


def _period_start(day: date | datetime, unit: str) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return date(day.year, 1 if unit == "year" else day.month, 1)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


_RULES = (
    (_ISO_DATE, _iso_date),
    (_MONTH_DAY, _calendar_day),
    (_DAY_MONTH, _calendar_day),
    (_MONTH_YEAR, _month_year),
    (_AGO, _ago),
    (_NAMED_DAY, _named_day),
    (_RELATIVE, _relative),
    (_IN_FUTURE, _in_future),
    (_MONTH_ONLY, _month_only),
    (_WEEKDAY, _weekday),
    (_IN_YEAR, _in_year),
)
