"""How many exports and imports at once, how much an import may bring, how long it may take."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.runtime.errors import ResourceExhausted
from services.runtime.limits import KIB

MIB = KIB * KIB


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """Times are in seconds.

    An export holds a connection to the database as long as it runs. An import has its records
    on disk, up to `max_record_bytes`, and one file in memory. One more of them than
    `exports_at_once` or `imports_at_once` is refused. A stream that sends nothing for
    `piece_seconds` is given up. Bytes of an import that was not finished are deleted after
    `sweep_seconds`: by then it must be over, so it takes `import_seconds` at most.
    """

    exports_at_once: int = 4
    imports_at_once: int = 2
    piece_seconds: float = 30.0
    import_seconds: float = 3600.0
    sweep_seconds: float = 7800.0
    max_records: int = 2_000_000
    max_record_bytes: int = 4 * 1024 * MIB
    max_file_bytes: int = 32 * MIB
    max_total_bytes: int = 10 * 1024 * MIB
    batch_records: int = 200
    batch_characters: int = 4 * MIB


class Turns:
    """Lets a few calls run at once and refuses more; belongs to one event loop."""

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._running = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Holds a turn. ResourceExhausted (LIMIT_EXCEEDED) if there is none."""
        if self._running >= self._most:
            raise ResourceExhausted(
                f"{self._most} {self._what} are running already",
                metadata={"limit": str(self._most)},
                retry_after=5.0,
            )
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
