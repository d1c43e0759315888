"""JSON as Python holds it, and as protobuf carries it (Struct, Value).

Protobuf knows doubles only: whole numbers that a double holds exactly come back as ints, so
that 3 comes back as 3 (and so does 3.0). What a double can't hold is refused, not rounded.
"""

import math
from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value

_EXACT = 2**53  # up to here a double holds every whole number


def python_of(value: Value) -> Any:
    """A Value as None, bool, int, float, str, list or dict."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) <= _EXACT else number
    if kind == "struct_value":
        return dict_of(value.struct_value)
    if kind == "list_value":
        return [python_of(each) for each in value.list_value.values]
    if kind == "string_value":
        return value.string_value
    return value.bool_value if kind == "bool_value" else None


def dict_of(struct: Struct) -> dict[str, Any]:
    """A Struct as a dict."""
    return {name: python_of(value) for name, value in struct.fields.items()}


def struct_of(values: Mapping[str, Any] | None) -> Struct | None:
    """A dict as a Struct; None stays None.

    Raises:
        TypeError: something in it is not JSON.
        ValueError: a number in it is no JSON number, or a whole one too large for a double.
    """
    if values is None:
        return None
    return Struct(fields={_name(name): value_of(value) for name, value in values.items()})


def value_of(value: Any) -> Value:
    """A JSON value as a Value. Raises as `struct_of` does."""
    if value is None:
        return Value(null_value=NULL_VALUE)
    if isinstance(value, bool):
        return Value(bool_value=value)
    if isinstance(value, (int, float)):
        return Value(number_value=_number(value))
    if isinstance(value, str):
        return Value(string_value=value)
    if isinstance(value, Mapping):
        return Value(struct_value=struct_of(value))
    if isinstance(value, (list, tuple)):
        return Value(list_value=ListValue(values=[value_of(each) for each in value]))
    raise TypeError(f"{type(value).__name__} is not JSON")


def _number(value: float) -> float:
    if isinstance(value, int):
        if abs(value) > _EXACT:
            raise ValueError(f"{value} is too large for a JSON number: give it as a string")
        return float(value)
    if not math.isfinite(value):
        raise ValueError(f"{value} is no JSON number")
    return value


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the names of a JSON object are strings, not {type(name).__name__}")
    return name
