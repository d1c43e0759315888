"""What a record of an import may hold, by its column's type, its name and the contract's limits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contract.json_values import struct_dict, struct_of
from services.reflect.lifecycle.columns import TOLERANCE, RecordChecks
from services.reflect.lifecycle.values import check_of, json_check, moment_of
from services.runtime import limits
from services.runtime.errors import InvalidArgument
from services.runtime.limits import Json, Number, Text
from services.storage.owner_tables import OwnerTable

NOW = datetime(2026, 5, 3, 10, tzinfo=UTC)
TIME = "timestamp with time zone"
THINGS = OwnerTable(
    "things",
    {
        **{"owner_id": "uuid", "recorded_at": TIME, "valid_from": TIME, "key": "text"},
        **{"importance": "smallint", "messages": "integer", "tags": "text[]"},
        **{"sources": "uuid[]", "metadata": "jsonb", "value": "jsonb", "share": "real"},
    },
    frozenset({"metadata", "value"}),
    frozenset({"metadata"}),
    ("owner_id",),
    frozenset(),
)


def checks() -> RecordChecks:
    return RecordChecks([THINGS], NOW)


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [
        ("key", ["", "a\nb", "k" * 256, None], ["k" * 257, "a\0", 1, ["a"]]),
        ("importance", [1, 10, None], [0, 11, 1.0, "1", True]),
        # A rule of that name is about a list of messages, not about how many they were.
        ("messages", [0, 2**30, None], [-1, 2**30 + 1, 10**400]),
        ("tags", [[], ["a"], None], ["a", [None], [["a"]], ["t" * 65], ["t"] * 65]),
        ("sources", [["0" * 8 + "-0000" * 3 + "-" + "0" * 12] * 3_000], [["a"], [None]]),
        ("share", [1, 0.5, -1e300], ["NaN", float("inf"), 10**400, True]),
        ("metadata", [{}, {"a": [None, 1]}], [[], None, {"a": 10**400}, {"a\0": 1}]),
        ("value", [None, [], 0, "", [1], 10**300], [10**400, "a\0", "x" * 300_000]),
        ("valid_from", ["0002-01-01T00:00:00Z", "9998-12-31T11:00:00-12:00", None], []),
        (
            "valid_from",
            [],
            ["0002-01-01T00:00:00+00:01", "9999-01-01T00:00:00Z", "infinity", "", 1],
        ),
        ("valid_from", [], ["2026-05-03T10:00:00", "10000-01-01T00:00:00Z", "2026-05-03"]),
    ],
)
def test_values_of_columns(column: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        checks().check("things", {column: value}, 1)
    for value in bad:
        with pytest.raises(InvalidArgument, match=rf"record 7 \(things\): {column} "):
            checks().check("things", {column: value}, 7)


def test_what_is_no_column_of_a_record() -> None:
    for column in ("owner_id", "mood"):
        with pytest.raises(InvalidArgument, match=column):
            checks().check("things", {column: "a"}, 1)
    with pytest.raises(InvalidArgument, match="no such kind"):
        checks().check("secrets", {}, 1)


def test_record_times_lie_in_the_past_and_event_times_anywhere() -> None:
    made = checks()
    tomorrow = (NOW + timedelta(days=1)).isoformat()
    made.check("things", {"valid_from": tomorrow, "recorded_at": NOW.isoformat()}, 1)
    assert made.newest == NOW
    latest = NOW + TOLERANCE
    made.check("things", {"recorded_at": latest.isoformat()}, 1)
    assert made.newest == latest
    wrong = (latest + timedelta(seconds=1)).isoformat()
    with pytest.raises(InvalidArgument, match="recorded_at is 61 s ahead of the clock here"):
        made.check("things", {"recorded_at": wrong}, 1)


def test_times_of_other_zones() -> None:
    assert moment_of("2026-05-03T12:00:00+02:00") == NOW
    assert moment_of("9998-12-31T23:59:59+23:00") is not None
    assert moment_of("9998-12-31T23:59:59-23:00") is None


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [15, 16, 17, 100, 400, 900])
def test_json_is_as_deep_as_in_a_call(depth: int) -> None:
    assert (json_check(Json(10_000), is_object=False)(nested(depth)) is None) == (depth <= 16)


def test_json_is_small_as_text_or_as_a_message() -> None:
    rule = Json(1_000)
    small: list[Any] = [[1] * 450, '"' * 900]
    large: list[Any] = [[1] * 600, '"' * 1_100, [[]] * 10**6]
    for value in ({"a": each} for each in small):
        assert json_check(rule, is_object=True)(value) is None
    for value in ({"a": each} for each in large):
        assert json_check(rule, is_object=True)(value) == "must have at most 1000 bytes"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_json_that_passes_can_be_read(value: dict[str, Any]) -> None:
    if json_check(limits.DEFAULT_JSON, is_object=True)(value) is None:
        struct_dict(struct_of(value))


def test_a_rule_of_another_type_is_of_something_else() -> None:
    assert check_of("text", Number(0, 1))("a text") is None
    assert check_of("bigint", Text(1))(2**53) is None
    assert check_of("interval", None)("3 days") is None
