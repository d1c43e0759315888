"""Units of the search index to test with, each at a place of its own."""

import itertools
from typing import Any
from uuid import UUID

from services.storage.places import chunk_place, message_place, placeless
from services.storage.search_items import IndexedItem, Kind
from services.text.terms import analyze

_numbers = itertools.count(1)


def indexed(item_id: UUID, kind: Kind, text: str, **differently: Any) -> IndexedItem:
    """A unit of a text; its place is a new one of its kind."""
    number = next(_numbers)
    places = {
        "message": message_place(1, number, 0),
        "memory": placeless(number),
        "chunk": chunk_place(1, number),
    }
    plain: dict[str, Any] = {"place": places[kind], "end_offset": len(text)}
    return IndexedItem(item_id, kind, terms=analyze(text), **{**plain, **differently})
