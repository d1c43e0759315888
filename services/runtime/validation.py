"""Checks requests against the contract and the table of limits.

A validator is compiled once per message type by walking its descriptor. It visits only the
fields that are set, so a small request costs a few microseconds.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, cast

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from services.runtime import limits
from services.runtime.checks import (
    Check,
    Violations,
    bytes_check,
    enum_check,
    json_check,
    mask_check,
    number_check,
    span_check,
    text_check,
    time_check,
)
from services.runtime.errors import FieldViolation, InvalidArgument
from services.runtime.limits import Items, Rule

Requirement: TypeAlias = tuple[str, str, Callable[[Any, str], bool]]

_JSON_TYPES = {
    "google.protobuf.Struct",
    "google.protobuf.Value",
    "google.protobuf.ListValue",
}
_FLOATS = {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
}
_UPDATE_MASK = "update_mask"

_compiled: dict[tuple[str, bool], "_Validator"] = {}


def validate(request: Message) -> None:
    """InvalidArgument naming up to 16 wrong fields, or nothing.

    Fields marked REQUIRED must be there: texts not blank, lists not empty, enums not
    UNSPECIFIED. In a request with an `update_mask` that holds for its own fields only: what
    the updated resource lacks is up to the mask.
    """
    descriptor = cast(Descriptor, request.DESCRIPTOR)
    partial = _UPDATE_MASK in descriptor.fields_by_name
    validator = _validator_of(descriptor, partial=False, nested_partial=partial)
    found: list[FieldViolation] = []
    validator(request, "", found)
    if found:
        raise InvalidArgument(found[: limits.MAX_VIOLATIONS])


def rule_of(field: FieldDescriptor) -> Rule | None:
    """The limit that holds for a field by its full name or its bare name, if any."""
    return limits.BY_FULL_NAME.get(field.full_name) or limits.BY_NAME.get(field.name)


class _Validator:
    """Checks messages of one type."""

    __slots__ = ("_checks", "_required")

    def __init__(self) -> None:
        self._checks: dict[int, tuple[str, Check]] = {}
        self._required: list[Requirement] = []

    def compile(self, descriptor: Descriptor, *, partial: bool, nested_partial: bool) -> None:
        """`partial` does not ask for required fields; `nested_partial` neither, further in."""
        for field in descriptor.fields:
            behaviors = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
            if field_behavior_pb2.OUTPUT_ONLY in behaviors:
                continue  # ignored in requests, so not to be refused either
            if field_behavior_pb2.REQUIRED in behaviors and not partial:
                self._required.append((field.name, field.name, _presence(field)))
            check = _check_of(field, nested_partial)
            if check is not None:
                self._checks[field.number] = (field.name, check)

    def __call__(self, message: Message, prefix: str, found: Violations) -> None:
        """Add what is wrong with `message`, whose fields' paths start with `prefix`."""
        for name, _, present in self._required:
            if not present(message, name):
                found.append(FieldViolation(prefix + name, "is required", "FIELD_REQUIRED"))
        checks = self._checks
        for field, value in message.ListFields():
            entry = checks.get(field.number)
            if entry is not None and len(found) < limits.MAX_VIOLATIONS:
                entry[1](value, prefix + entry[0], found)


def _validator_of(descriptor: Descriptor, *, partial: bool, nested_partial: bool) -> _Validator:
    key = (descriptor.full_name, partial)
    known = _compiled.get(key)
    if known is None:
        known = _compiled[key] = _Validator()  # before compiling: messages may contain themselves
        known.compile(descriptor, partial=partial, nested_partial=nested_partial)
    return known


def _presence(field: FieldDescriptor) -> Callable[[Any, str], bool]:
    if field.is_repeated:
        return lambda message, name: len(getattr(message, name)) > 0
    if field.has_presence:
        return lambda message, name: bool(message.HasField(name))
    if field.type == FieldDescriptor.TYPE_STRING:
        return lambda message, name: bool(getattr(message, name).strip())
    return lambda message, name: bool(getattr(message, name))


def _check_of(field: FieldDescriptor, partial: bool) -> Check | None:
    rule = rule_of(field)
    if not field.is_repeated:
        return _single(field, rule, partial)
    items = rule if isinstance(rule, Items) else limits.DEFAULT_ITEMS
    nested = field.message_type
    if nested is not None and nested.GetOptions().map_entry:
        key = _single(nested.fields_by_name["key"], limits.BY_NAME["key"], partial)
        value = _single(nested.fields_by_name["value"], items.each, partial)
        return _map_check(items.maximum, key, value)
    if isinstance(rule, Items):
        rule = rule.each
    return _list_check(items.maximum, _single(field, rule, partial, in_list=True))


def _single(
    field: FieldDescriptor, rule: Rule | None, partial: bool, *, in_list: bool = False
) -> Check | None:
    """The check of one value; a rule that does not fit the field's type is a mistake here."""
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        return _message(cast(Descriptor, field.message_type), rule, partial)
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        kinds = cast(EnumDescriptor, field.enum_type).values_by_number
        return enum_check(kinds, unspecified=not in_list)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return bytes_check(_fitting(rule, limits.Bytes, limits.DEFAULT_BYTES))
    if field.type == FieldDescriptor.TYPE_STRING:
        return text_check(_fitting(rule, limits.Text, limits.DEFAULT_TEXT))
    if kind in _FLOATS or (kind in _INTEGERS and isinstance(rule, limits.Number)):
        return number_check(rule if isinstance(rule, limits.Number) else None)
    return None


def _message(descriptor: Descriptor, rule: Rule | None, partial: bool) -> Check | None:
    name = descriptor.full_name
    if name in _JSON_TYPES:
        return json_check(_fitting(rule, limits.Json, limits.DEFAULT_JSON))
    if name == "google.protobuf.Timestamp":
        return time_check()
    if name == "google.protobuf.Duration":
        return span_check(_fitting(rule, limits.Span, limits.DEFAULT_SPAN))
    if name == "google.protobuf.FieldMask":
        return mask_check()
    validator = _validator_of(descriptor, partial=partial, nested_partial=partial)

    def check(value: Any, path: str, found: Violations) -> None:
        validator(value, path + ".", found)

    return check


R = Any


def _fitting(rule: Rule | None, kind: type[R], default: R) -> R:
    return rule if isinstance(rule, kind) else default


def _list_check(maximum: int, each: Check | None) -> Check:
    def check(values: Any, path: str, found: Violations) -> None:
        if len(values) > maximum:
            found.append(_too_many(path, maximum, len(values)))
            return
        if each is not None:
            for index, value in enumerate(values):
                each(value, f"{path}[{index}]", found)
                if len(found) >= limits.MAX_VIOLATIONS:
                    return

    return check


def _map_check(maximum: int, key_check: Check | None, value_check: Check | None) -> Check:
    def check(values: Any, path: str, found: Violations) -> None:
        if len(values) > maximum:
            found.append(_too_many(path, maximum, len(values)))
            return
        for key, value in _pairs(values):
            here = f"{path}[{key!r}]"
            if key_check is not None:
                key_check(key, here, found)
            if value_check is not None:
                value_check(value, here, found)
            if len(found) >= limits.MAX_VIOLATIONS:
                return

    return check


def _pairs(values: Any) -> Iterable[tuple[Any, Any]]:
    pairs: Iterable[tuple[Any, Any]] = values.items()
    return pairs


def _too_many(path: str, maximum: int, given: int) -> FieldViolation:
    return FieldViolation(
        path, f"must hold at most {maximum} items, holds {given}", "TOO_MANY_ITEMS"
    )
