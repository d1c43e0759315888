"""Objects as files in a local folder: the default of the embedded run."""

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from services.providers.objects.storage import (
    CHUNK_BYTES,
    DEFAULT_URL_SECONDS,
    check_key,
    check_url_seconds,
    refused,
)
from services.runtime.errors import FailedPrecondition, NotFound

# "~" cannot be in a key, so neither of these can ever be an object's.
_TEMPORARY = "~temporary"
_SUFFIX = "~"
# A write that has not ended after so long never will: its process was killed.
ABANDONED_SECONDS = 15 * 60.0


class FolderStorage:
    """Keeps each object in one file, `folder/objects/key~`.

    A write goes to a temporary file, is synced and then renamed, so after a crash an object
    is there as a whole or not at all. The "~" lets "a" and "a/b" both be keys. Made for one
    machine; every process that shares the folder sees the same objects.
    """

    def __init__(self, folder: Path) -> None:
        self._objects = folder / "objects"
        self._temporary = folder / _TEMPORARY

    async def init(self) -> None:
        """Create the folder, readable by this user only, and try to write in it."""
        await asyncio.to_thread(self._init)

    async def close(self) -> None:
        """Nothing stays open."""

    async def upload(
        self,
        key: str,
        data: bytes,
        content_type: str = "application/octet-stream",  # noqa: ARG002 - a file has none
    ) -> None:
        """See `ObjectStorage`. The content type is not kept."""
        await asyncio.to_thread(self._write, self._path(key), data)

    async def download(self, key: str) -> bytes:
        """See `ObjectStorage`."""
        with _found(key):
            return await asyncio.to_thread(self._path(key).read_bytes)

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """See `ObjectStorage`."""
        path = self._path(key)
        with _found(key):
            file: BinaryIO = await asyncio.to_thread(path.open, "rb")
        try:
            with _found(key):
                while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
                    yield piece
        finally:
            file.close()

    async def delete(self, key: str) -> None:
        """See `ObjectStorage`. Folders left empty stay: another write may be entering.

        Takes with it what a write of the key left behind when its process was killed.
        """
        with _found(key):
            await asyncio.to_thread(self._delete, self._path(key))

    async def exists(self, key: str) -> bool:
        """See `ObjectStorage`."""
        return await asyncio.to_thread(self._path(key).is_file)

    async def get_presigned_url(self, key: str, expires_in: int = DEFAULT_URL_SECONDS) -> str:
        """Raise FailedPrecondition: a folder is served by nobody."""
        check_key(key)
        check_url_seconds(expires_in)
        raise FailedPrecondition(
            "the folder storage has no URLs; download the file through the service",
            reason="NOT_SUPPORTED",
            metadata={"provider": "folder"},
        )

    def _path(self, key: str) -> Path:
        return self._objects / (check_key(key) + _SUFFIX)

    def _init(self) -> None:
        with _found(""):
            for folder in (self._objects, self._temporary):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            trial = self._temporary / secrets.token_hex(16)
            trial.touch()
            trial.unlink()

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        for left in self._temporary.glob(f"{_temporary_name(path)}.*"):
            try:
                abandoned = time.time() - left.stat().st_mtime > ABANDONED_SECONDS
            except FileNotFoundError:  # its write has just ended
                continue
            if abandoned:
                left.unlink(missing_ok=True)

    def _write(self, path: Path, data: bytes) -> None:
        temporary = self._temporary / f"{_temporary_name(path)}.{secrets.token_hex(16)}"
        with _found(str(path)):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_up_to(path.parent, self._objects)


def _temporary_name(path: Path) -> str:
    """What all unfinished writes of one object have in their names."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:32]


def _sync_up_to(folder: Path, top: Path) -> None:
    """Make the names durable: a rename, and new folders, live in their parents."""
    while True:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if folder == top:
            return
        folder = folder.parent


@contextmanager
def _found(key: str) -> Iterator[None]:
    """Turn the file system's errors into ours."""
    try:
        yield
    except FileNotFoundError as failure:
        raise NotFound("object", key) from failure
    except OSError as failure:
        raise refused(f"{failure.strerror}: {key}") from failure
