"""The bytes of an import's files, on their way into the object storage."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from mnema.v1 import lifecycle_service_pb2 as pb
from services.contract.stored_object import StoredObject
from services.contract.user import User
from services.providers.objects.storage import ObjectStorage
from services.reflect.lifecycle.limits import TransferLimits
from services.runtime.database import Database
from services.runtime.errors import invalid
from services.storage import jobs
from services.storage.portable import refused

DOCUMENTS = "documents"
_UPLOAD, _TEXT = "upload", "text"


@dataclass(slots=True)
class _Awaited:
    """A file whose record has come: where its bytes go, and what they must amount to."""

    stored: StoredObject
    sha256: str
    size: int | None
    mime_type: str


class IncomingFiles:
    """Stores each file once its last piece has come; one at a time is in memory.

    That is before there is a transaction: should the import fail, a job deletes the bytes.
    """

    def __init__(
        self, database: Database, objects: ObjectStorage, limits: TransferLimits, user: User
    ) -> None:
        self._database = database
        self._objects = objects
        self._limits = limits
        self._user = user
        self._awaited: dict[str, _Awaited] = {}
        self._keys: dict[str, str] = {}
        self._file_id = ""
        self._chunks: list[bytes] = []
        self._size = 0

    def expect(self, record: Mapping[str, Any], number: int) -> None:
        """Notes a document whose bytes are to come, or checks the text that it is made of."""
        if record.get("file_id") is None:
            raise refused(number, DOCUMENTS, "file_id is missing")
        sha256 = str(record.get("sha256")).removeprefix("\\x")
        size = record.get("size_bytes")
        if record.get("source_type") == _UPLOAD:
            stored = StoredObject.imported(self._user, UUID(record["file_id"]))
            mime_type = str(record.get("mime_type"))
            self._awaited[str(stored.file_id)] = _Awaited(stored, sha256, size, mime_type)
        elif record.get("source_type") == _TEXT:
            data = str(record.get("source_text") or "").encode()
            if wrong := _mismatch(data, sha256, size):
                raise refused(number, DOCUMENTS, f"source_text {wrong}")

    def key_of(self, record: Mapping[str, Any]) -> str:
        """Where the bytes of a document lie; empty if it is made of text."""
        return self._keys.get(str(UUID(record["file_id"])), "")

    async def take(self, piece: pb.ExportFilePiece) -> None:
        """Takes some bytes. InvalidArgument if they are of no document, or too many."""
        if piece.file_id != self._file_id:
            await self._end_file()
            if piece.file_id not in self._awaited:
                raise invalid("file_piece.file_id", f"no record names file {piece.file_id!r}")
            self._file_id = piece.file_id
        self._chunks.append(piece.chunk)
        self._size += len(piece.chunk)
        if self._size > self._limits.max_file_bytes:
            raise invalid("file_piece.chunk", f"file {piece.file_id} is too large")

    async def end(self) -> None:
        """Stores the last file. InvalidArgument if one has no bytes."""
        await self._end_file()
        for file_id in self._awaited:
            raise invalid("file_piece", f"the bytes of file {file_id} did not come")

    async def _end_file(self) -> None:
        if not self._file_id:
            return
        data, awaited = b"".join(self._chunks), self._awaited.pop(self._file_id)
        self._chunks, self._size = [], 0
        file_id, self._file_id = self._file_id, ""
        if wrong := _mismatch(data, awaited.sha256, awaited.size):
            raise invalid("file_piece.chunk", f"file {file_id}: what came {wrong}")
        async with self._database.transaction(self._user.scope) as connection:
            await jobs.enqueue(
                connection,
                jobs.SWEEP_OBJECT,
                awaited.stored.payload(),
                delay_seconds=self._limits.sweep_seconds,
            )
        await self._objects.upload(awaited.stored.key, data, awaited.mime_type)
        self._keys[file_id] = awaited.stored.key


def _mismatch(data: bytes, sha256: str, size: int | None) -> str | None:
    """What tells these bytes from those that a record speaks of."""
    if hashlib.sha256(data).hexdigest() != sha256:
        return "has other bytes than its sha256 says"
    return None if size in (None, len(data)) else f"has {len(data)} bytes, its record says {size}"
