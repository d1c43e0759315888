"""A file on this side: read in pieces for an upload, written in pieces by a download."""

import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

PIECE = 256 * 1024  # bytes; the server takes up to 1 MiB at a time


class Pieces:
    """What is to be uploaded: bytes, the path of a file, or a binary file object."""

    def __init__(self, given: bytes | str | os.PathLike[str] | BinaryIO) -> None:
        self._given = given
        self._start: int | None = 0
        self.request_id = str(uuid4())
        """One for all attempts at this upload."""
        self.failure: Exception | None = None
        """What broke the last reading, if anything did."""
        if isinstance(given, (str, os.PathLike, bytes, bytearray, memoryview)):
            return
        if isinstance(given, io.TextIOBase) or not hasattr(given, "read"):
            raise TypeError(
                f"file_data is {type(given).__name__}: give bytes, a path, "
                "or a file that was opened in binary mode"
            )
        seekable = getattr(given, "seekable", None)
        self._start = given.tell() if seekable is not None and seekable() else None

    @property
    def repeatable(self) -> bool:
        """Whether it can be read from its start again."""
        return self._start is not None

    @property
    def size(self) -> int | None:
        """How many bytes it has; None where only reading tells."""
        if isinstance(self._given, (bytes, bytearray, memoryview)):
            return memoryview(self._given).nbytes
        if isinstance(self._given, (str, os.PathLike)):
            return Path(self._given).stat().st_size
        if self._start is None:
            return None
        end = self._given.seek(0, io.SEEK_END)
        self._given.seek(self._start)
        return end - self._start

    def open(self) -> BinaryIO:
        """A reader from the start."""
        self.failure = None
        if isinstance(self._given, (str, os.PathLike)):
            return Path(self._given).open("rb")
        if isinstance(self._given, (bytes, bytearray, memoryview)):
            return io.BytesIO(self._given)
        if self._start is not None:
            self._given.seek(self._start)
        return self._given

    def read(self, handle: BinaryIO) -> bytes:
        """The next piece; empty at the end."""
        return handle.read(PIECE)

    def close(self, handle: BinaryIO) -> None:
        """Closes what `open` opened; the caller's own file object stays open."""
        if handle is not self._given:
            handle.close()


@dataclass
class PartFile:
    """A file that is being written beside the one it will become."""

    target: Path
    path: Path
    handle: BinaryIO

    @classmethod
    def beside(cls, target: Path) -> "PartFile":
        """Makes an empty one in the target's folder."""
        number, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=".part", dir=target.parent
        )
        return cls(target, Path(name), os.fdopen(number, "wb"))

    def write(self, piece: bytes) -> None:
        """Writes one piece."""
        self.handle.write(piece)

    def keep(self) -> Path:
        """Puts it in its place, with the permissions of a new file; what was there goes."""
        self.handle.close()
        mask = os.umask(0)
        os.umask(mask)
        self.path.chmod(0o666 & ~mask)
        return self.path.replace(self.target)

    def discard(self) -> None:
        """Removes it, unless it was kept."""
        self.handle.close()
        self.path.unlink(missing_ok=True)
