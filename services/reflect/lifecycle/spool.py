"""Records that are on their way, kept on disk until all of them are there.

A caller may take an hour to send them. A transaction that waited for the next one would hold up
the events of everybody (docs/adr/0013) and what PostgreSQL clears away.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, ParamSpec, Self, TypeVar

import structlog

from mnema.v1 import lifecycle_service_pb2 as pb
from services.runtime.errors import ResourceExhausted, Unavailable
from services.runtime.limits import KIB

log = structlog.get_logger(__name__)

_AT_ONCE = KIB * KIB
_LENGTH_BYTES = 4
_RETRY_AFTER_SECONDS = 60.0

P = ParamSpec("P")
Done = TypeVar("Done")


class Spool:
    """Takes records in, then gives them back in their order.

    The file has no name: it is gone with the block or the process, however that ends.
    """

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        self._file = file
        self._most_bytes = most_bytes
        self._size = 0
        self._waiting = bytearray()
        self.first_kind = ""
        """Of the first record; empty while there is none."""

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, most_bytes: int) -> AsyncIterator[Self]:
        """A spool in a folder, which is made if it is missing. Unavailable: it can't be used."""
        file = await _on_disk(_new_file, folder)
        try:
            yield cls(file, most_bytes)
        finally:
            with suppress(OSError):  # of what could not be written
                file.close()

    async def add(self, record: pb.ExportRecord) -> None:
        """Keeps a record.

        Raises:
            ResourceExhausted: They are more than may be kept.
            Unavailable: There is no room for it on this machine.
        """
        self.first_kind = self.first_kind or record.kind
        data = record.SerializeToString()
        self._size += _LENGTH_BYTES + len(data)
        if self._size > self._most_bytes:
            raise ResourceExhausted(
                f"an import brings at most {self._most_bytes} bytes of records",
                metadata={"limit": str(self._most_bytes)},
            )
        self._waiting += len(data).to_bytes(_LENGTH_BYTES, "big") + data
        if len(self._waiting) >= _AT_ONCE:
            await self._flush()

    async def records(self) -> AsyncIterator[pb.ExportRecord]:
        """All of them; some at a time are in memory."""
        await self._flush()
        await _on_disk(self._file.seek, 0)
        held, at = b"", 0
        while piece := await _on_disk(self._file.read, _AT_ONCE):
            held, at = held[at:] + piece, 0
            while (found := _record_at(held, at)) is not None:
                record, at = found
                yield record

    async def _flush(self) -> None:
        waiting, self._waiting = self._waiting, bytearray()
        await _on_disk(self._file.write, waiting)


def _new_file(folder: Path) -> IO[bytes]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


def _record_at(held: bytes, at: int) -> tuple[pb.ExportRecord, int] | None:
    """The record that begins there, and where it ends; None if it is not whole yet."""
    start = at + _LENGTH_BYTES
    end = start + int.from_bytes(held[at:start], "big")
    if start > len(held) or end > len(held):
        return None
    return pb.ExportRecord.FromString(held[start:end]), end


async def _on_disk(work: Callable[P, Done], *args: P.args, **kwargs: P.kwargs) -> Done:
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except OSError as error:
        log.exception("an import can't be kept on disk")
        raise Unavailable(
            "there is no room for the import on disk", retry_after=_RETRY_AFTER_SECONDS
        ) from error
