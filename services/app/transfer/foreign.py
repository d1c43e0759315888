"""Reading files of other systems: JSON, or JSON Lines, and where in them a thing stands."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from services.app.transfer.records import ForeignError

# After so many things that could not be found it is no longer looked for them.
_MOST_MISSED = 20


@dataclass(slots=True)
class ForeignFile:
    """A file's text and what it means; `identity` is the same for files of the same content."""

    text: str
    value: Any
    identity: UUID
    _at: int = 0
    _line: int = 1
    _missed: int = 0

    @classmethod
    def read(cls, path: Path) -> "ForeignFile":
        """ForeignError, with the line, if it is neither JSON nor JSON Lines."""
        content = path.read_bytes()
        identity = uuid5(NAMESPACE_URL, f"file:{hashlib.sha256(content).hexdigest()}")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ForeignError(f"{path.name} is no UTF-8 text: byte {error.start}") from None
        try:
            return cls(text, json.loads(text), identity)
        except ValueError as whole:
            return cls(text, _lines(path.name, text, whole), identity)

    def line_of(self, item: Any) -> str:
        """ " (line 12)" for an object that can be found by its id or its text; or nothing.

        Objects are asked for in their order, so the text is read through but once.
        """
        if not isinstance(item, dict) or self._missed == _MOST_MISSED:
            return ""
        for name in ("id", "memory_id", "memory", "content", "text"):
            for ascii_only in (False, True) if isinstance(item.get(name), str) else ():
                written = json.dumps(item[name], ensure_ascii=ascii_only)
                at = self.text.find(written, self._at)
                if at >= 0:
                    self._line += self.text.count("\n", self._at, at)
                    self._at = at + 1  # the next one stands behind it, even if it says the same
                    return f" (line {self._line})"
        self._missed += 1
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
