"""A file out of a stream of messages: never more of it in memory than a file may have."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mnema.v1.file_service_pb2 import NewFile, UploadFileRequest
from services.files.limits import FileLimits
from services.files.text.document import MAX_FILE_BYTES
from services.files.text.errors import FileTooLarge
from services.runtime.errors import DeadlineExceeded, ResourceExhausted, invalid

_RETRY_AFTER_SECONDS = 2.0


class Turns:
    """Lets a few files be in memory at once; belongs to one event loop."""

    def __init__(self, limits: FileLimits) -> None:
        self._free = asyncio.Semaphore(limits.uploads_at_once)
        self._limits = limits

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Holds a turn. ResourceExhausted (LIMIT_EXCEEDED) when none becomes free in time."""
        try:
            async with asyncio.timeout(self._limits.turn_seconds):
                await self._free.acquire()
        except TimeoutError:
            limit = self._limits.uploads_at_once
            raise ResourceExhausted(
                f"{limit} files are being taken in at once already",
                metadata={"limit": str(limit)},
                retry_after=_RETRY_AFTER_SECONDS,
            ) from None
        try:
            yield
        finally:
            self._free.release()


class UploadStream:
    """The messages of one upload: `description()` first, then `content()`."""

    def __init__(self, messages: AsyncIterator[UploadFileRequest], *, piece_seconds: float) -> None:
        self._messages = messages
        self._piece_seconds = piece_seconds

    async def description(self) -> NewFile:
        """The first message. InvalidArgument if it is a piece, or there is none."""
        message = await self._next()
        if message is None or message.WhichOneof("part") != "file":
            raise invalid("file", "must be the first message of an upload", "FIELD_REQUIRED")
        return message.file

    async def content(self, described: NewFile) -> bytes:
        """All pieces behind the description, as one.

        Raises:
            FileTooLarge: As soon as they are more than 32 MiB; the rest is not read.
            InvalidArgument: A second description, a message that is neither, or another
                number of bytes than the description says.
            DeadlineExceeded: The stream stood still for too long.
        """
        if described.size_bytes > MAX_FILE_BYTES:
            raise _too_large(described.filename, described.size_bytes)
        pieces: list[bytes] = []
        size = 0
        while (message := await self._next()) is not None:
            match message.WhichOneof("part"):
                case "chunk":
                    pieces.append(message.chunk)
                case "file":
                    raise invalid("file", "may be in the first message only")
                case _:
                    raise invalid("chunk", "is missing in a message", "FIELD_REQUIRED")
            size += len(message.chunk)
            if size > MAX_FILE_BYTES:
                raise _too_large(described.filename, size)
        if described.size_bytes and described.size_bytes != size:
            raise invalid(
                "file.size_bytes",
                f"says {described.size_bytes}, but {size} came",
                "FIELD_OUT_OF_RANGE",
            )
        return b"".join(pieces)

    async def _next(self) -> UploadFileRequest | None:
        """The next message; None at the end."""
        try:
            async with asyncio.timeout(self._piece_seconds):
                return await anext(self._messages, None)
        except TimeoutError:
            raise DeadlineExceeded(
                f"the upload sent nothing for {self._piece_seconds:g} seconds",
                metadata={"seconds": f"{self._piece_seconds:g}"},
            ) from None


def _too_large(filename: str, size: int) -> FileTooLarge:
    return FileTooLarge(
        filename,
        f"has at least {size} bytes, more than {MAX_FILE_BYTES}",
        size=str(size),
        limit=str(MAX_FILE_BYTES),
    )
