"""What can be wrong with a request: for each field of a valid one, every mistake it allows.

The limits are those that the contract's comments state, written down here once more.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from tests.e2e.contract import is_required

Path = tuple[str | int, ...]

UNKNOWN_ENUM_NUMBER = 9999
AFTER_THE_YEAR_9998 = 253_370_764_800
ZERO_TIME = -62_135_596_800
# Characters that a text may have, by full name or by name; 1,024 where nothing is stated.
LONGEST: Mapping[str, int] = {
    **dict.fromkeys(("user_id", "session_id", "node_id", "speaker", "name", "key", "prefix"), 256),
    **dict.fromkeys(("filename", "title"), 512),
    **dict.fromkeys(("namespace", "category", "custom_type", "mime_type"), 128),
    **dict.fromkeys(("tags", "label"), 64),
    "file_types": 32,
    "content": 400_000,
    "texts": 32_768,
    "query": 8_192,
    "ranking_profile": 63,
    "time_zone": 64,
    "page_token": 2_048,
    "cursor": 64,
    "mnema.v1.Memory.content": 16_384,
    "mnema.v1.Edge.content": 16_384,
    "mnema.v1.Triple.content": 16_384,
    "mnema.v1.CreateFileFromTextRequest.content": 1_000_000,
}
MOST_ITEMS: Mapping[str, int] = {
    "texts": 256,
    "tags": 64,
    "file_types": 64,
    "query_embedding": 4096,
    "types": 16,
}
# Numbers beyond each range that the comments state.
BEYOND: Mapping[str, tuple[float, ...]] = {
    "page_size": (-1,),
    "limit": (-1, 201),
    "batch_size": (-1, 201),
    "max_context_tokens": (-1, 63, 131_073),
    "max_depth": (-1, 11),
    "max_retries": (-1, 11),
    "reflection_interval": (-1, 10_001),
    "message_interval": (-1, 10_001),
    "importance": (0, 11),
    "confidence": (-0.1, 1.1),
    "weight": (-0.1, 1.1),
    "valence": (-1.1, 1.1),
    "arousal": (-0.1, 1.1),
    **dict.fromkeys(
        (f"mnema.v1.FactorStrengths.{name}" for name in ("recency", "importance", "graph_boost")),
        (-0.1, 1.1),
    ),
}
# Named by _id, but the caller's own words.
NO_UUIDS = frozenset({"user_id", "session_id", "node_id"})


@dataclass(frozen=True, slots=True)
class Wrong:
    """One mistake: `make` puts it into a valid request.

    `field` is its path as BadRequest writes it. `json_text`: what a REST client would write for
    it where JSON or a query have no such value; that is then refused as MALFORMED_REQUEST.
    """

    what: str
    path: Path
    reason: str
    make: Callable[[Message], None]
    json_text: str | None = None
    in_json: bool = True

    @property
    def field(self) -> str:
        text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return text.removeprefix(".")


def wrongs_of(request: Message) -> Iterator[Wrong]:
    """Every mistake in the fields of `request`, set or not, and in its set nested messages."""
    yield from _of_message(request, ())


def _of_message(message: Message, prefix: Path) -> Iterator[Wrong]:
    descriptor = cast(Descriptor, message.DESCRIPTOR)
    for field in descriptor.fields:
        path = (*prefix, field.name)
        if is_required(field):
            yield Wrong("missing", path, "FIELD_REQUIRED", _cleared(path))
        if prefix and not _is_set(message, field):
            continue  # further in, only what the valid request has: the rest may be output-only
        yield from _of_field(message, field, path)
        if _is_ours(field) and _is_set(message, field):
            yield from _inside(getattr(message, field.name), path)


def _inside(value: Any, path: Path) -> Iterator[Wrong]:
    if isinstance(value, Message):
        yield from _of_message(value, path)
    else:
        yield from _of_message(value[-1], (*path, len(value) - 1))


def _of_field(message: Message, field: FieldDescriptor, path: Path) -> Iterator[Wrong]:
    if _is_map(field):
        yield _with_too_many(field, path)
        return
    if field.is_repeated:
        yield _with_too_many(field, path)
        if not _is_ours(field):
            yield from _of_value(field, path, add=True)
        return
    yield from _of_value(field, path, add=False)


def _of_value(field: FieldDescriptor, path: Path, *, add: bool) -> Iterator[Wrong]:
    if field.type == FieldDescriptor.TYPE_STRING:
        values = _wrong_texts(field)
    elif field.type == FieldDescriptor.TYPE_ENUM:
        values = _wrong_enums()
    elif field.message_type is not None:
        yield from _of_known_message(field.message_type.full_name, path)
        return
    else:
        values = _wrong_numbers(field)
    for what, value, reason, text in values:
        yield _put(path, value, reason, what, add=add, json_text=text)


_Value = tuple[str, Any, str, str | None]


def _wrong_texts(field: FieldDescriptor) -> Iterator[_Value]:
    if field.name == "page_token":
        yield "garbage", "bm90IG91cnM", "PAGE_TOKEN_INVALID", None
        yield "not base64", "?!", "PAGE_TOKEN_INVALID", None
    if field.name == "role":
        yield "another role", "boss", "FIELD_MALFORMED", None
    is_uuid = field.name.endswith(("_id", "_ids")) and field.name not in NO_UUIDS
    if is_uuid:
        yield "no UUID", "not-a-uuid", "FIELD_MALFORMED", None
        yield "too long", "0" * 37, "FIELD_TOO_LONG", None
        return
    if field.name != "role":
        longest = LONGEST.get(field.full_name) or LONGEST.get(field.name, 1024)
        yield "too long", "x" * (longest + 1), "FIELD_TOO_LONG", None
    yield "NUL", "a\0b", "FIELD_MALFORMED", None


def _wrong_enums() -> Iterator[_Value]:
    yield "unknown", UNKNOWN_ENUM_NUMBER, "ENUM_UNKNOWN", "NO_SUCH_VALUE"


def _wrong_numbers(field: FieldDescriptor) -> Iterator[_Value]:
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        for value in (math.nan, math.inf):
            yield f"{value}", value, "FIELD_OUT_OF_RANGE", None
    for value in BEYOND.get(field.full_name) or BEYOND.get(field.name, ()):
        yield f"{value:g}", value, "FIELD_OUT_OF_RANGE", None


def _of_known_message(name: str, path: Path) -> Iterator[Wrong]:
    if name == "google.protobuf.Timestamp":
        late = _put((*path, "seconds"), AFTER_THE_YEAR_9998, "FIELD_OUT_OF_RANGE", "year 9999")
        yield _about(late, path, "2023-99-01T00:00:00Z")
        unset = _put((*path, "seconds"), ZERO_TIME, "FIELD_OUT_OF_RANGE", "Go's zero time")
        yield _about(unset, path, None)
        odd = _put((*path, "nanos"), -1, "FIELD_OUT_OF_RANGE", "negative nanoseconds")
        yield _about(odd, path, "yesterday")
    elif name == "google.protobuf.Duration":
        back = _put((*path, "seconds"), -5, "FIELD_OUT_OF_RANGE", "negative")
        yield _about(back, path, None)
        far = _put((*path, "seconds"), 10**15, "FIELD_OUT_OF_RANGE", "endless")
        yield _about(far, path, "a while")
    elif name == "google.protobuf.FieldMask":
        mask = (*path, "paths")
        unknown = _put(mask, "nonsense", "FIELD_MASK_INVALID", "unknown path", add=True)
        yield _about(unknown, path, None)
    elif name == "google.protobuf.Struct":
        yield Wrong("too large", path, "FIELD_TOO_LONG", _struct(path, "x" * 16_384))
        yield Wrong("NUL inside", path, "FIELD_MALFORMED", _struct(path, "a\0b"))
        yield Wrong("NaN inside", path, "FIELD_MALFORMED", _struct(path, math.nan), in_json=False)
    elif name == "google.protobuf.Value":
        text = _put((*path, "string_value"), "a\0b", "FIELD_MALFORMED", "NUL")
        yield _about(text, path, None)
        long = _put((*path, "string_value"), "x" * 262_144, "FIELD_TOO_LONG", "too large")
        yield _about(long, path, None)


def _about(wrong: Wrong, path: Path, json_text: str | None) -> Wrong:
    """The same mistake, told of the field that holds the message."""
    return Wrong(wrong.what, path, wrong.reason, wrong.make, json_text)


def _with_too_many(field: FieldDescriptor, path: Path) -> Wrong:
    count = MOST_ITEMS.get(field.name, 1000) + 1

    def make(request: Message) -> None:
        values = getattr(_holder(request, path), field.name)
        if _is_map(field):
            for number in range(count):
                values[str(number)].SetInParent()
        elif field.message_type is not None:
            while len(values) < count:
                values.add()
        elif field.type == FieldDescriptor.TYPE_STRING:
            values[:] = [str(number) for number in range(count)]
        else:
            values[:] = [1] * count

    return Wrong("too many", path, "TOO_MANY_ITEMS", make)


def _put(
    path: Path,
    value: Any,
    reason: str,
    what: str,
    *,
    add: bool = False,
    json_text: str | None = None,
) -> Wrong:
    def make(request: Message) -> None:
        holder = _holder(request, path)
        if add:
            del getattr(holder, str(path[-1]))[:]
            getattr(holder, str(path[-1])).append(value)
        else:
            setattr(holder, str(path[-1]), value)

    said = (*path, 0) if add else path
    return Wrong(what, said, reason, make, json_text)


def _struct(path: Path, value: Any) -> Callable[[Message], None]:
    def make(request: Message) -> None:
        getattr(_holder(request, path), str(path[-1])).update({"wrong": value})

    return make


def _cleared(path: Path) -> Callable[[Message], None]:
    return lambda request: _holder(request, path).ClearField(str(path[-1]))


def _holder(request: Message, path: Path) -> Any:
    """The message that has the path's last field."""
    found: Any = request
    for part in path[:-1]:
        found = found[part] if isinstance(part, int) else getattr(found, part)
    return found


def _is_ours(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and kind.full_name.startswith("mnema.v1.") and not _is_map(field)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _is_set(message: Message, field: FieldDescriptor) -> bool:
    return any(each.number == field.number for each, _ in message.ListFields())
