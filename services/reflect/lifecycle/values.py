"""What a value of a record may be, by the type of its column and the contract's limit for it.

Says what is wrong with it, or None. Nothing here is about a column of its own: see `columns`.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from services.contract.json_values import struct_of, value_of
from services.runtime import checks, limits
from services.runtime.errors import FieldViolation
from services.runtime.limits import Items, Json, Number, Rule, Text

Check: TypeAlias = Callable[[Any], str | None]

# Half of what a column can hold: what counts on from a record never comes to the end of it.
_WHOLE_NUMBERS: Mapping[str, Number] = {
    "smallint": Number(0, 2**14),
    "integer": Number(0, 2**30),
    "bigint": Number(0, 2**53),
}
_BYTES = re.compile(r"\\x([0-9a-f]{2})*")
_ANY_SIZE = 2**31 - 1


def check_of(type_name: str, rule: Rule | None) -> Check:
    """The check of a column of this type; times and JSON have their own.

    A rule that does not fit the type is of something else that has the same name.
    """
    if type_name.endswith("[]"):
        return _list_check(type_name.removesuffix("[]"), rule)
    if type_name == "text":
        return text_check(rule if isinstance(rule, Text) else limits.DEFAULT_TEXT)
    if type_name in _WHOLE_NUMBERS:
        return _whole_check(rule if isinstance(rule, Number) else _WHOLE_NUMBERS[type_name])
    if type_name in ("real", "double precision"):
        return _number_check(rule if isinstance(rule, Number) else None)
    # Of a type that no table has yet: what the database makes of it.
    return _CHECKS.get(type_name, _plain)


def text_check(rule: Text) -> Check:
    """A text's length, and that it is one of those there may be.

    Not its form: names that extraction finds have none.
    """
    within = checks.text_check(replace(rule, form="any"))
    return lambda value: _first(within, value) if isinstance(value, str) else "must be a text"


def said_check(rule: Text) -> Check:
    """As `text_check`, and not blank: there is nothing in it to find it by."""
    within = text_check(rule)
    return lambda value: within(value) or (None if value.strip() else "must not be blank")


def json_check(rule: Json, *, is_object: bool) -> Check:
    """JSON that is read as the contract reads it: its size, its depth, finite numbers."""
    inside = checks.json_check(replace(rule, maximum=_ANY_SIZE))

    def check(value: Any) -> str | None:
        if is_object and not isinstance(value, dict):
            return "must be an object"
        if not value and value in ({}, [], None):
            return None
        wrong = _outline(value, rule)
        if wrong is not None:
            return wrong
        try:
            read = struct_of(value) if is_object else value_of(value)
        except OverflowError:
            return "must hold finite numbers"
        # What the graph merges is measured as text, what callers give as the message it comes in.
        if read.ByteSize() > rule.maximum and len(_text(value)) > rule.maximum:
            return f"must have at most {rule.maximum} bytes"
        return _first(inside, read)

    return check


def counts_check(value: Any) -> str | None:
    """How often each of some names was met."""
    whole = _whole_check(_WHOLE_NUMBERS["bigint"])
    found = value.values() if isinstance(value, dict) else ()
    return next((f"holds a count that {wrong}" for each in found if (wrong := whole(each))), None)


def moment_of(value: Any) -> datetime | None:
    """A moment that everything can reckon with, in UTC; None if it is none."""
    try:
        moment = datetime.fromisoformat(value)
        if moment.utcoffset() is None:
            return None
        moment = moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if limits.is_accepted(moment) else None


def _list_check(type_name: str, rule: Rule | None) -> Check:
    items = rule if isinstance(rule, Items) else limits.DEFAULT_ITEMS
    each_check = check_of(type_name, items.each)
    # Sources are as many as there were: whoever says a thing again adds one.
    most = items.maximum if type_name == "text" else _ANY_SIZE

    def check(value: Any) -> str | None:
        if not isinstance(value, list):
            return "must be a list"
        if len(value) > most:
            return f"must hold at most {most} items"
        return next(
            (f"holds one that {wrong}" for each in value if (wrong := each_check(each))), None
        )

    return check


def _form_check(form: re.Pattern[str], wrong: str) -> Check:
    return lambda value: None if isinstance(value, str) and form.fullmatch(value) else wrong


def _whole_check(rule: Number) -> Check:
    low, high = int(rule.minimum), int(rule.maximum)

    def check(value: Any) -> str | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return "must be a whole number"
        return None if low <= value <= high else f"must be from {low} to {high}"

    return check


def _number_check(rule: Number | None) -> Check:
    within = checks.number_check(rule)

    def check(value: Any) -> str | None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return "must be a number"
        try:
            return _first(within, float(value))
        except OverflowError:
            return "must be a finite number"

    return check


def _plain(value: Any) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    return None if isinstance(value, str | int | float) else "must be a text or a number"


def _outline(value: Any, rule: Json) -> str | None:
    """That a value is small and flat enough to be looked at closely, which takes its time."""
    waiting, seen = [(value, 0)], 0
    while waiting:
        each, depth = waiting.pop()
        inner = each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        seen += len(inner)
        if depth > rule.depth + 1:
            return "is nested too deeply"
        if 2 * seen > rule.maximum:  # a digit and a comma each
            return f"must have at most {rule.maximum} bytes"
        waiting.extend((inside, depth + 1) for inside in inner)
    return None


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


_CHECKS: Mapping[str, Check] = {
    "boolean": lambda value: None if isinstance(value, bool) else "must be true or false",
    "uuid": _form_check(limits.UUID_FORM, "must be a UUID"),
    "bytea": _form_check(_BYTES, r'must be hexadecimal behind "\x"'),
}


def _first(check: checks.Check, value: Any) -> str | None:
    found: list[FieldViolation] = []
    check(value, "", found)
    return found[0].description if found else None
