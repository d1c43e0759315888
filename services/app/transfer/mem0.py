"""mem0's exports: memories as get_all() gives them, in whatever wrapper."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.app.transfer.foreign import ForeignFile
from services.app.transfer.records import (
    MEMORY_TYPES,
    Fields,
    ForeignError,
    Records,
    add_memory,
    part,
    text_in,
)

# What a memory may be wrapped in, or called.
_WRAPPERS = ("results", "memories", "data")
_TEXTS = ("memory", "content", "text", "data")
_OTHERS = ("agent_id", "run_id", "app_id", "actor_id", "role", "hash", "score", "expiration_date")
_NAME_CHARACTERS, _TAGS = 64, 64


def read_mem0(file: ForeignFile, user_id: str | None) -> list[Records]:
    """What goes to each user: the one given, or those that the memories name.

    ForeignError names the memory and its line.
    """
    users: dict[str, Records] = {}
    for number, item in enumerate(_items(file.value), 1):
        where = f"memory {number}{file.line_of(item)}"
        if not isinstance(item, Mapping):
            raise ForeignError(f"{where} is no object")
        owner = user_id or item.get("user_id")
        if not isinstance(owner, str) or not owner:
            raise ForeignError(f"{where} names no user_id: say whose it is with --user")
        _add(users.setdefault(owner, Records(owner, file.identity)), where, item)
    return list(users.values())


def _items(value: Any) -> Iterator[Any]:
    """The memories, out of their wrappers; pages of several calls may follow each other."""
    if isinstance(value, list):
        for each in value:
            yield from _items(each) if _is_wrapper(each) else (each,)
    elif _is_wrapper(value):
        yield from _items(next(value[name] for name in _WRAPPERS if name in value))
    elif isinstance(value, Mapping):
        yield value
    else:
        raise ForeignError("the file holds neither memories nor a list of them")


def _is_wrapper(value: Any) -> bool:
    return isinstance(value, Mapping) and any(
        isinstance(value.get(name), (list, Mapping)) for name in _WRAPPERS
    )


def _add(into: Records, where: str, item: Fields) -> None:
    metadata = dict(part(item, "metadata"))
    kind = metadata.get("memory_type", metadata.get("type"))
    others = {name: item[name] for name in _OTHERS if item.get(name) is not None}
    categories = item.get("categories") or []
    names = [categories] if isinstance(categories, str) else categories
    tags = [str(each)[:_NAME_CHARACTERS] for each in names if str(each).strip()]
    add_memory(
        into,
        where,
        item,
        text_in(where, item, *_TEXTS),
        memory_type=kind if kind in MEMORY_TYPES else "general",
        tags=tags[:_TAGS],
        metadata={**metadata, **({"mem0": others} if others else {})},
    )
