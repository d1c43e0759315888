"""Reading files of other systems: JSON, or JSON Lines, and where in them a thing stands."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.app.transfer.records import ForeignError


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """A file's text and what it means."""

    text: str
    value: Any

    @classmethod
    def read(cls, path: Path) -> "ForeignFile":
        """ForeignError, with the line, if it is neither JSON nor JSON Lines."""
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ForeignError(f"{path.name} is no UTF-8 text: byte {error.start}") from None
        try:
            return cls(text, json.loads(text))
        except ValueError as whole:
            return cls(text, _lines(path.name, text, whole))

    def line_of(self, item: Any) -> str:
        """ ", line 12" for an object that can be found by its id or its text; or nothing."""
        for name in ("id", "memory_id", "memory", "content", "text"):
            if isinstance(item, dict) and isinstance(item.get(name), str):
                for ascii_only in (False, True):
                    at = self.text.find(json.dumps(item[name], ensure_ascii=ascii_only))
                    if at >= 0:
                        return f" (line {self.text.count(chr(10), 0, at) + 1})"
        return ""


def _lines(name: str, text: str, whole: ValueError) -> list[Any]:
    items = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            items.append(json.loads(line))
        except ValueError as error:
            # Lines of their own begin with a whole one.
            wrong = error if items else whole
            where = f"line {number}" if items else f"line {getattr(whole, 'lineno', number)}"
            raise ForeignError(f"{name}, {where}, is no JSON: {wrong}") from None
    return items
