"""JSON as protobuf carries it (Struct, Value), and as Python and PostgreSQL hold it.

Protobuf knows doubles only. Whole numbers that a double holds exactly become ints on the way
in, so that 3 is stored as 3 and not as 3.0.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value

_EXACT = 2**53  # up to here a double holds every whole number


def struct_dict(struct: Struct) -> dict[str, Any]:
    """A Struct as a dict."""
    return {name: python_of(value) for name, value in struct.fields.items()}


def python_of(value: Value) -> Any:
    """A Value as None, bool, int, float, str, list or dict. One of no kind is None."""
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            whole = number.is_integer() and abs(number) <= _EXACT
            return int(number) if whole else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return struct_dict(value.struct_value)
        case "list_value":
            return [python_of(each) for each in value.list_value.values]
        case _:
            return None


def struct_of(values: Mapping[str, Any]) -> Struct:
    """A dict as a Struct."""
    return Struct(fields={name: value_of(value) for name, value in values.items()})


def value_of(value: Any) -> Value:
    """JSON as Python holds it, as a Value."""
    match value:
        case None:
            return Value(null_value=NULL_VALUE)
        case bool():
            return Value(bool_value=value)
        case int() | float():
            return Value(number_value=float(value))
        case str():
            return Value(string_value=value)
        case Mapping():
            return Value(struct_value=struct_of(value))
        case list() | tuple():
            values = [value_of(each) for each in value]
            return Value(list_value=ListValue(values=values))
    raise TypeError(f"{type(value).__name__} is not JSON")
