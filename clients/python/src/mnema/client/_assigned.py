"""Settings that were assigned to a client, until the server has them."""

import threading
from collections.abc import Mapping

from mnema.client._convert.settings import Value, check


class AssignedSettings:
    """Belongs to a connection; may be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, Value] = {}
        self._unsent: dict[str, int] = {}
        self._assignments = 0

    def assign(self, name: str, value: Value) -> None:
        """Notes a setting to be sent before the next call; TypeError if it can be none."""
        check(name, value)
        with self._lock:
            self._assignments += 1
            self._values[name] = value
            self._unsent[name] = self._assignments

    def value(self, name: str) -> Value:
        """What was assigned last; None if nothing was."""
        with self._lock:
            return self._values.get(name)

    @property
    def waiting(self) -> bool:
        """Whether anything is to be sent."""
        return bool(self._unsent)

    def unsent(self) -> tuple[dict[str, Value], Mapping[str, int]]:
        """What is to be sent, and the mark to settle it with."""
        with self._lock:
            return {name: self._values[name] for name in self._unsent}, dict(self._unsent)

    def settle(self, mark: Mapping[str, int], *, refused: bool = False) -> None:
        """The server has these, or has refused them: they are not sent again.

        What was assigned anew meanwhile is.
        """
        with self._lock:
            for name, assignment in mark.items():
                if self._unsent.get(name) == assignment:
                    del self._unsent[name]
                    if refused:
                        del self._values[name]
