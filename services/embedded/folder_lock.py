"""One living process per folder.

The kernel drops the lock when its holder dies, however it dies, so a lock file left behind
is never taken for a living holder.
"""

import fcntl
import os
from pathlib import Path
from typing import Self

from services.embedded.failures import AlreadyRunning


class FolderLock:
    """An exclusive lock on a file; the file names the holder's process id for people."""

    def __init__(self, path: Path, holds: str) -> None:
        """`holds` is what the lock protects, as the error message says it."""
        self._path = path
        self._holds = holds
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Takes the lock; taking it twice is harmless. AlreadyRunning when another holds it."""
        if self._descriptor is not None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
            os.close(descriptor)
            raise AlreadyRunning(
                f"{self._holds} is in use by process {holder}: stop that one first"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Gives the lock back; harmless when not held."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
