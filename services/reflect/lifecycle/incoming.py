"""The stream of an import, in the order it must have."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NoReturn

from mnema.v1 import lifecycle_service_pb2 as pb
from services.reflect.lifecycle.convert import FORMAT, VERSION
from services.reflect.lifecycle.limits import TransferLimits
from services.runtime.errors import DeadlineExceeded, ResourceExhausted, invalid

Part = pb.ImportUserDataRequest


class ImportStream:
    """`target()` first, then `header()`, then `parts()`, which ends with the trailer."""

    def __init__(self, messages: AsyncIterator[Part], limits: TransferLimits) -> None:
        self._messages = messages
        self._limits = limits
        self.records = 0
        self.counts: dict[str, int] = {}
        self.file_bytes = 0

    async def target(self) -> pb.ImportTarget:
        """For whom the data are. InvalidArgument if another part comes first."""
        message = await self._next()
        if message is None or message.WhichOneof("part") != "target":
            raise invalid("target", "must be the first message of an import", "FIELD_REQUIRED")
        return message.target

    async def header(self) -> pb.ExportHeader:
        """What the data are. InvalidArgument unless they are of a format known here."""
        message = await self._next()
        if message is None or message.WhichOneof("part") != "header":
            raise invalid("header", "must be the second message of an import", "FIELD_REQUIRED")
        if message.header.format != FORMAT:
            raise invalid("header.format", f"is not {FORMAT!r}")
        if message.header.version != VERSION:
            raise invalid("header.version", f"is not {VERSION}: the only one known here")
        return message.header

    async def parts(self) -> AsyncIterator[pb.ExportRecord | pb.ExportFilePiece]:
        """Records and bytes. They are all there, and no more, when it ends without an error."""
        while (message := await self._next()) is not None:
            match message.WhichOneof("part"):
                case "record":
                    self._count(message.record.kind)
                    yield message.record
                case "file_piece":
                    self.file_bytes += len(message.file_piece.chunk)
                    if self.file_bytes > self._limits.max_total_bytes:
                        _too_much("bytes of files", self._limits.max_total_bytes)
                    yield message.file_piece
                case "trailer":
                    await self._end(message.trailer)
                    return
                case part:
                    raise invalid(part or "part", "does not belong here")
        raise invalid("trailer", "is missing: the export is not whole", "FIELD_REQUIRED")

    def _count(self, kind: str) -> None:
        self.records += 1
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.records > self._limits.max_records:
            _too_much("records", self._limits.max_records)

    async def _end(self, trailer: pb.ExportTrailer) -> None:
        stated = dict(trailer.counts)
        for kind in sorted(stated.keys() | self.counts.keys()):
            said, came = stated.get(kind, 0), self.counts.get(kind, 0)
            if said != came:
                raise invalid("trailer.counts", f"says {said} {kind}, but {came} came")
        if trailer.file_bytes != self.file_bytes:
            raise invalid(
                "trailer.file_bytes", f"says {trailer.file_bytes}, but {self.file_bytes} came"
            )
        if await self._next() is not None:
            raise invalid("trailer", "must be the last message of an import")

    async def _next(self) -> Part | None:
        """The next message; None at the end."""
        seconds = self._limits.piece_seconds
        try:
            async with asyncio.timeout(seconds):
                return await anext(self._messages, None)
        except TimeoutError:
            raise DeadlineExceeded(
                f"the import sent nothing for {seconds:g} seconds",
                metadata={"seconds": f"{seconds:g}"},
            ) from None


def fields_of(record: pb.ExportRecord, number: int) -> dict[str, Any]:
    """A record's fields; InvalidArgument if its text is no JSON object."""
    try:
        found = json.loads(record.json, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise invalid("record.json", f"record {number} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise invalid("record.json", f"record {number} is no JSON object")
    if "\\ud" in record.json.lower() and not _is_text(found):
        raise invalid("record.json", f"record {number} has half a character")
    return found


def _is_text(found: dict[str, Any]) -> bool:
    """Whether it can be written in UTF-8: JSON can name halves of characters."""
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _too_much(what: str, limit: int) -> NoReturn:
    raise ResourceExhausted(
        f"an import brings at most {limit} {what}", metadata={"limit": str(limit)}
    )
