"""How much the files service takes on at once, and how long it waits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Times are in seconds.

    `uploads_at_once` files of up to 32 MiB are in memory at most; one more waits up to
    `turn_seconds` for its turn. A stream that sends nothing for `piece_seconds` is given up.
    `extractions_at_once` files are read at a time, each for up to `extraction_seconds`.
    A file that is not stored `store_seconds` after its bytes began to be written never will
    be; `sweep_seconds` after that moment bytes without a file are deleted.

    ValueError unless the sweep leaves the storing more than twice its time: it must never
    meet one that is still under way.
    """

    uploads_at_once: int = 4
    turn_seconds: float = 10.0
    piece_seconds: float = 30.0
    extractions_at_once: int = 2
    extraction_seconds: float = 60.0
    store_seconds: float = 600.0
    sweep_seconds: float = 3600.0

    def __post_init__(self) -> None:
        if self.sweep_seconds <= 2 * self.store_seconds:
            raise ValueError("sweep_seconds must be more than twice store_seconds")
