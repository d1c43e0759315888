"""Time phrases, resolved against Monday 8 May 2023, 13:56 UTC."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.ingest.extraction.local.chinese.times import chinese_time
from services.ingest.extraction.local.times import find_time, has_time_word
from services.runtime.limits import is_accepted

NOW = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I went yesterday", date(2023, 5, 7)),
        ("the day before yesterday", date(2023, 5, 6)),
        ("it was last night", date(2023, 5, 7)),
        ("I ran today", date(2023, 5, 8)),
        ("let's meet tomorrow", date(2023, 5, 9)),
        ("two weeks ago we met", date(2023, 4, 24)),
        ("a couple of years ago", date(2021, 5, 8)),
        ("10 days ago", date(2023, 4, 28)),
        ("two weekends ago", date(2023, 4, 29)),
        ("last week", date(2023, 5, 1)),
        ("next month", date(2023, 6, 1)),
        ("last year", date(2022, 1, 1)),
        ("last weekend", date(2023, 5, 6)),
        ("this weekend", date(2023, 5, 13)),
        ("last Friday", date(2023, 5, 5)),
        ("next Friday", date(2023, 5, 12)),
        ("next Monday", date(2023, 5, 15)),
        ("on Friday I ran", date(2023, 5, 5)),
        ("I'm leaving on Friday", date(2023, 5, 12)),
        ("see you next Fri", date(2023, 5, 12)),
        ("in May", date(2023, 5, 1)),
        ("in June", date(2022, 6, 1)),
        ("we will go in June", date(2023, 6, 1)),
        ("last May", date(2022, 5, 1)),
        ("last summer", date(2022, 6, 1)),
        ("this summer", date(2023, 6, 1)),
        ("since 2019", date(2019, 1, 1)),
        ("on 3 May", date(2023, 5, 3)),
        ("May 20th", date(2022, 5, 20)),
        ("the 15th of August 2021", date(2021, 8, 15)),
        ("July 4, 2022", date(2022, 7, 4)),
        ("March 2020", date(2020, 3, 1)),
        ("on 2022-12-24", date(2022, 12, 24)),
        ("we will fly in two weeks", date(2023, 5, 22)),
    ],
)
def test_a_phrase_names_the_start_of_its_period(text: str, day: date) -> None:
    found = find_time(text, NOW, ZoneInfo("UTC"))
    assert found is not None
    assert found.start == datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert has_time_word(frozenset(text.lower().split()), text.lower())


@pytest.mark.parametrize(
    "text",
    ["I may go", "I sat there", "the march was long", "2023-02-30", "done in two weeks", "in a way",
     "the second one", "on top of it", "in 3 parts", "Feb 31st"],
)  # fmt: skip
def test_what_only_looks_like_a_time(text: str) -> None:
    assert find_time(text, NOW, ZoneInfo("UTC")) is None


def test_hours_are_exact_and_since_and_future_are_told() -> None:
    found = find_time("an hour ago", NOW, ZoneInfo("UTC"))
    assert found is not None
    assert found.start == datetime(2023, 5, 8, 12, 56, tzinfo=UTC)
    since = find_time("I live here since last March", NOW, ZoneInfo("UTC"))
    assert since is not None
    assert (since.since, since.future) == (True, False)
    coming = find_time("next week", NOW, ZoneInfo("UTC"))
    assert coming is not None
    assert coming.future


def test_the_place_of_the_phrase_is_given() -> None:
    text = "I moved two weeks ago to Rome"
    found = find_time(text, NOW, ZoneInfo("Asia/Tokyo"))
    assert found is not None
    assert text[found.begin : found.end] == "two weeks ago"
    assert found.start == datetime(2023, 4, 23, 15, tzinfo=UTC)  # midnight in Tokyo


PHRASES = [
    "yesterday", "tomorrow", "the day before yesterday", "last week", "next week", "last weekend",
    "next weekend", "last Friday", "next Friday", "last month", "next month", "last year",
    "next year", "last winter", "next summer", "900 years ago", "999 weeks ago", "999 months ago",
    "two weekends ago", "999 hours ago", "we will go in 999 years", "we will go in 999 weeks",
    "in May", "3 May", "May 3rd", "we will go on 3 May", "will be in May", "since last March",
    "on Friday", "I will go on Friday", "in 1999", "1999-01-01", "昨天", "明天", "大前天", "大后天",
    "上周", "下周三", "上上个月", "下下个月", "去年", "明年冬天", "九十九年前", "999个月后",
    "三天前", "星期五", "五月三日", "我打算五月三日去", "五月", "我打算五月去", "1999年",
]  # fmt: skip
ENDS = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, 12, tzinfo=UTC),
    datetime(2, 1, 1, tzinfo=UTC),
    datetime(9998, 12, 31, 23, 59, 59, 999_999, UTC),
    datetime(9999, 12, 31, 12, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
]


@pytest.mark.parametrize("said_at", ENDS, ids=str)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
def test_a_time_beyond_what_the_contract_holds_is_none(said_at: datetime, zone: str) -> None:
    for phrase in PHRASES:
        for find in (find_time, chinese_time):
            found = find(phrase, said_at, ZoneInfo(zone))
            assert found is None or is_accepted(found.start), phrase
