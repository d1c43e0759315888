"""The dates that a question names, at the ends of the calendar."""

from datetime import UTC, datetime, timedelta

import pytest

from services.text.dates import DateSpan, dates_in

ENDS = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(2, 1, 1, tzinfo=UTC),
    datetime(2, 6, 1, tzinfo=UTC),
    datetime(9998, 12, 31, 23, 59, 59, 999_999, UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
]
PERIODS = ["week", "weekend", "month", "year", "monday", "sunday", "january", "december"]
UNITS = ["days", "weeks", "months", "years"]


@pytest.mark.parametrize("now", ENDS, ids=str)
def test_what_is_beyond_the_calendar_is_no_date(now: datetime) -> None:
    asked = [f"{which} {period}" for which in ("last", "this", "next") for period in PERIODS]
    asked += [f"{count} {unit} ago" for count in ("a few", "17", "999") for unit in UNITS]
    asked += [
        f"{count} {unit} {way} {day}"
        for count in ("two", "999")
        for unit in UNITS
        for way in ("before", "after")
        for day in ("0001-01-01", "9999-12-31", "3 May 9999")
    ]
    asked += [
        "yesterday",
        "tomorrow",
        "0000-01-01",
        "9999-12-31",
        "31 Dec 9999",
        "in December 9999",
    ]
    for text in asked:
        for span in dates_in(f"what was {text}?", now):
            assert span.start is None or span.end is None or span.start < span.end, text


def test_a_date_that_is_none_leaves_the_others() -> None:
    now = datetime(9999, 12, 31, tzinfo=UTC)
    today = datetime(9999, 12, 31)  # noqa: DTZ001 - days of the asker's zone
    found = dates_in("today, tomorrow or yesterday", now)
    assert found == (DateSpan("day", today - timedelta(1), today),)


@pytest.mark.parametrize(
    ("text", "named"),
    [("in may", True), ("since  march", True), ("before may 2020", True), ("may I?", False),
     ("I began in the march", False), ("from january to may", True), ("x" * 40 + " in may", True)],
)  # fmt: skip
def test_a_month_that_is_a_word_too_stands_behind_a_preposition(text: str, named: bool) -> None:
    months = {span.month for span in dates_in(text, datetime(2023, 5, 8, tzinfo=UTC))}
    years = {span.start for span in dates_in(text, datetime(2023, 5, 8, tzinfo=UTC))}
    assert bool(months & {3, 5} or (years - {None})) == named
