"""The checks of single values: each adds what is wrong to a list of violations."""

import math
from collections.abc import Callable, Container
from typing import Any, TypeAlias

from google.protobuf.struct_pb2 import ListValue, Struct, Value

from services.runtime.errors import FieldViolation
from services.runtime.limits import (
    CONTROL_CHARACTERS,
    FIRST_SECOND,
    LAST_SECOND,
    MASK_PATH,
    MAX_MASK_PATHS,
    UUID_FORM,
    ZERO_TIME_SECOND,
    Bytes,
    Json,
    Number,
    Span,
    Text,
)

Violations: TypeAlias = list[FieldViolation]
Check: TypeAlias = Callable[[Any, str, Violations], None]

_TOO_LONG = "FIELD_TOO_LONG"
_RANGE = "FIELD_OUT_OF_RANGE"
_MALFORMED = "FIELD_MALFORMED"
_NANOS = 1_000_000_000


def text_check(rule: Text) -> Check:
    """Length, NUL and form of a text."""
    minimum, maximum = rule.minimum, rule.maximum
    further = _form_of(rule)

    def check(value: str, path: str, found: Violations) -> None:
        if len(value) > maximum:
            found.append(
                FieldViolation(
                    path, f"must have at most {maximum} characters, has {len(value)}", _TOO_LONG
                )
            )
        elif len(value) < minimum:
            found.append(FieldViolation(path, "must not be empty", "FIELD_REQUIRED"))
        elif "\0" in value:
            found.append(FieldViolation(path, "must not contain NUL", _MALFORMED))
        elif further is not None:
            wrong = further(value)
            if wrong is not None:
                found.append(FieldViolation(path, wrong, _MALFORMED))

    return check


def _form_of(rule: Text) -> Callable[[str], str | None] | None:
    if rule.one_of:
        allowed = frozenset(rule.one_of)
        said = f"must be one of {', '.join(rule.one_of)}"
        return lambda value: None if value in allowed else said
    if rule.form == "uuid":
        return lambda value: None if UUID_FORM.fullmatch(value) else "must be a UUID"
    if rule.form == "line":
        return lambda value: (
            "must not contain control characters" if CONTROL_CHARACTERS.search(value) else None
        )
    return None


def bytes_check(rule: Bytes) -> Check:
    """The size of bytes."""
    maximum = rule.maximum

    def check(value: bytes, path: str, found: Violations) -> None:
        if len(value) > maximum:
            found.append(
                FieldViolation(
                    path, f"must have at most {maximum} bytes, has {len(value)}", _TOO_LONG
                )
            )

    return check


def number_check(rule: Number | None) -> Check:
    """The range of a number; without a rule, that it is finite."""
    low, high = (rule.minimum, rule.maximum) if rule else (-math.inf, math.inf)

    def check(value: float, path: str, found: Violations) -> None:
        if not math.isfinite(value):
            found.append(FieldViolation(path, "must be a finite number", _RANGE))
        elif not low <= value <= high:
            found.append(FieldViolation(path, f"must be from {low} to {high}", _RANGE))

    return check


def enum_check(known: Container[int], *, unspecified: bool) -> Check:
    """That an enum's value is known; in a list, that it is not UNSPECIFIED either."""

    def check(value: int, path: str, found: Violations) -> None:
        if value not in known or (value == 0 and not unspecified):
            found.append(FieldViolation(path, f"has no value {value}", "ENUM_UNKNOWN"))

    return check


def time_check() -> Check:
    """A Timestamp of the years 2 to 9998."""

    def check(value: Any, path: str, found: Violations) -> None:
        if not FIRST_SECOND <= value.seconds <= LAST_SECOND or not 0 <= value.nanos < _NANOS:
            wrong = "must be in the years 2 to 9998"
            if value.seconds == ZERO_TIME_SECOND:
                wrong += (
                    "; 0001-01-01T00:00:00Z is how a time that was never set (Go, .NET) is sent:"
                    " leave the field out instead"
                )
            found.append(FieldViolation(path, wrong, _RANGE))

    return check


def span_check(rule: Span) -> Check:
    """A Duration in its range."""

    def check(value: Any, path: str, found: Violations) -> None:
        seconds = value.seconds + value.nanos / _NANOS
        mixed = value.seconds * value.nanos < 0 or abs(value.nanos) >= _NANOS
        if mixed or not rule.minimum <= seconds <= rule.maximum:
            found.append(
                FieldViolation(
                    path, f"must be from {rule.minimum:g} to {rule.maximum:g} seconds", _RANGE
                )
            )

    return check


def mask_check() -> Check:
    """That a FieldMask has well-formed paths; which ones may be updated, the call knows."""

    def check(value: Any, path: str, found: Violations) -> None:
        if len(value.paths) > MAX_MASK_PATHS:
            found.append(
                FieldViolation(path, f"must hold at most {MAX_MASK_PATHS} paths", "TOO_MANY_ITEMS")
            )
        elif not all(len(each) <= 256 and MASK_PATH.fullmatch(each) for each in value.paths):
            found.append(FieldViolation(path, "holds a malformed path", "FIELD_MASK_INVALID"))

    return check


def json_check(rule: Json) -> Check:
    """Size, depth, finite numbers and no NUL, of a Struct, Value or ListValue."""

    def check(value: Any, path: str, found: Violations) -> None:
        size = value.ByteSize()
        if size > rule.maximum:
            found.append(
                FieldViolation(
                    path, f"must have at most {rule.maximum} bytes, has {size}", _TOO_LONG
                )
            )
            return
        wrong = _wrong_inside(value, rule.depth)
        if wrong is not None:
            found.append(FieldViolation(path, wrong, _MALFORMED))

    return check


def _wrong_inside(value: "Struct | ListValue | Value", depth: int) -> str | None:
    if depth < 0:
        return "is nested too deeply"
    if isinstance(value, Struct):
        for name, member in value.fields.items():
            if "\0" in name:
                return "must not contain NUL"
            wrong = _wrong_inside(member, depth)
            if wrong is not None:
                return wrong
        return None
    if isinstance(value, ListValue):
        return next(filter(None, (_wrong_inside(each, depth) for each in value.values)), None)
    return _wrong_value(value, depth)


def _wrong_value(value: Value, depth: int) -> str | None:
    match value.WhichOneof("kind"):
        case "string_value":
            return "must not contain NUL" if "\0" in value.string_value else None
        case "number_value":
            return None if math.isfinite(value.number_value) else "must hold finite numbers"
        case "struct_value":
            return _wrong_inside(value.struct_value, depth - 1)
        case "list_value":
            return _wrong_inside(value.list_value, depth - 1)
        case "null_value" | "bool_value":
            return None
        case _:
            return "holds a value of no kind"
