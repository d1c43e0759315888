"""JSON as lines a person (and an embedding model) reads: "user.address.city: Lisbon"."""

import json
from collections.abc import Iterator
from typing import Any

from services.files.text.bounds import bounded
from services.files.text.charset import clean
from services.files.text.errors import FileBroken


def json_text(filename: str, source: str) -> str:
    """Return one line per value, led by its path.

    Items of a list of objects are set apart by a blank line, so that each becomes a
    paragraph. Numbers are written as the file writes them.

    Raises:
        FileBroken: The file is no JSON, or nested too deep.
        TextTooLarge: Long paths can make more text than the file has.
    """
    try:
        # As written: 1.10 stays 1.10, and a number of a million digits costs nothing.
        value = json.loads(source, parse_int=str, parse_float=str)
        text = "\n".join(bounded(filename, _lines("", value)))
    except json.JSONDecodeError as failure:
        raise FileBroken(
            filename,
            f"is not valid JSON: {failure.msg} in line {failure.lineno}",
            line=str(failure.lineno),
        ) from failure
    except RecursionError as failure:
        raise FileBroken(filename, "is nested too deep") from failure
    # An escape can write what no text may hold: "\\u0000", half a surrogate pair.
    return clean(text).strip()


def _lines(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _lines(f"{path}.{key}" if path else key, inner)
    elif isinstance(value, list):
        yield from _items(path, value)
    else:
        shown = {None: "null", True: "true", False: "false"}.get(value, value)
        yield f"{path}: {shown}" if path else str(shown)


def _items(path: str, items: list[Any]) -> Iterator[str]:
    if not any(isinstance(item, dict | list) for item in items):
        for item in items:
            yield from _lines(path, item)
        return
    for item in items:
        yield from _lines(path, item)
        yield ""
