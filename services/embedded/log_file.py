"""Log files that processes append to directly, kept below a size."""

import shutil
from pathlib import Path

TAIL_LINES = 15
_TAIL_BYTES = 8192


def cap(log: Path, limit: int) -> bool:
    """Moves the content to `<log>.1` once it is larger than `limit` bytes; True when it did.

    The writer keeps its open file (which it appends to), so the content is copied and the file
    emptied; a line written in between may be lost.
    """
    if not log.exists() or log.stat().st_size <= limit:
        return False
    shutil.copyfile(log, log.with_name(log.name + ".1"))
    with log.open("r+b") as file:
        file.truncate(0)
    return True


def tail(log: Path, start: int = 0) -> str:
    """The last lines written after byte `start`."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(min(start, size), size - _TAIL_BYTES))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-TAIL_LINES:])
