"""An import: the records of an export, for a user who has nothing yet; all of it or nothing."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from mnema.v1 import lifecycle_service_pb2 as pb
from services.contract.digest_job import DigestJob
from services.contract.stored_object import StoredObject
from services.contract.user import User
from services.providers.objects.storage import ObjectStorage
from services.reflect.lifecycle.incoming import ImportStream, fields_of
from services.reflect.lifecycle.limits import TransferLimits, Turns
from services.runtime.database import Connection, Database
from services.runtime.errors import DeadlineExceeded, invalid
from services.runtime.ids import new_id
from services.runtime.scope import Scope
from services.storage import jobs, portable
from services.storage.foundation import register_user
from services.storage.owner_tables import USERS, act_for, close_to_writers
from services.storage.portable import RecordStore
from services.storage.requests import answered, once

Answer = pb.ImportUserDataResponse
DOCUMENTS = "documents"


@dataclass(slots=True)
class ImportCall:
    """Stands for the call where calls are told apart: whom it is for, and what it brings."""

    request_id: str
    described: bytes

    def SerializeToString(self, *, deterministic: bool = True) -> bytes:  # noqa: ARG002, N802
        """As a message has it."""
        return self.described


@dataclass(slots=True)
class _Awaited:
    """A file whose record has come: where its bytes go, and what they must amount to."""

    stored: StoredObject
    sha256: str
    mime_type: str


class Importer:
    """Takes imports in, a few at once."""

    def __init__(self, database: Database, objects: ObjectStorage, limits: TransferLimits) -> None:
        self._database = database
        self._objects = objects
        self._limits = limits
        self._turns = Turns(limits.imports_at_once, "imports")

    async def take(self, messages: AsyncIterator[pb.ImportUserDataRequest]) -> Answer:
        """Stores everything, or gives the answer that this request_id was given before."""
        seconds = self._limits.import_seconds
        with self._turns.one():
            try:
                async with asyncio.timeout(seconds):
                    return await self._take(ImportStream(messages, self._limits))
            except TimeoutError:
                raise DeadlineExceeded(
                    f"the import took longer than {seconds:g} seconds",
                    metadata={"seconds": f"{seconds:g}"},
                ) from None

    async def _take(self, stream: ImportStream) -> Answer:
        target = await stream.target()
        user = User.served(target.user_id)
        header = await stream.header()
        described = header.SerializeToString(deterministic=True)
        call = ImportCall(target.request_id, user.user_id.encode() + b"\0" + described)
        async with self._database.transaction(user.scope, readonly=True) as connection:
            known = await answered(connection, user.owner_id, call, Answer)
        if known is not None:
            return known
        # Not `run`: a stream cannot be read twice. Nobody else writes for this user meanwhile.
        async with self._database.transaction(Scope(user.tenant_id)) as connection:
            await close_to_writers(connection, user.owner_id)
            await act_for(connection, user.owner_id)

            async def write() -> Answer:
                return await _Import(self._database, self._objects, self._limits, user).store(
                    connection, stream
                )

            return await once(connection, user.owner_id, call, Answer, write)


class _Import:
    """One import, inside its transaction."""

    def __init__(
        self, database: Database, objects: ObjectStorage, limits: TransferLimits, user: User
    ) -> None:
        self._database = database
        self._objects = objects
        self._limits = limits
        self._user = user
        self._awaited: dict[str, _Awaited] = {}
        self._kind = ""
        self._columns: tuple[str, ...] = ()
        self._rows: list[tuple[int, dict[str, Any]]] = []
        self._characters = 0
        self._file_id = ""
        self._chunks: list[bytes] = []

    async def store(self, connection: Connection, stream: ImportStream) -> Answer:
        user = self._user
        tables = await portable.portable_tables(connection)
        await portable.check_empty(connection, user.owner_id, user.user_id, tables)
        await portable.forget_user_row(connection, user.owner_id)
        records = RecordStore(connection, user.owner_id, user.tenant_id, user.user_id, tables)
        async for part in stream.parts():
            if isinstance(part, pb.ExportRecord):
                if stream.records == 1 and part.kind != USERS:
                    await register_user(connection, user.owner_id, user.tenant_id, user.user_id)
                await self._take_record(records, part, stream.records)
            else:
                await self._take_piece(part)
        await self._flush(records)
        await self._end_file()
        for file_id in self._awaited:
            raise invalid("file_piece", f"the bytes of file {file_id} did not come")
        if not stream.records:
            await register_user(connection, user.owner_id, user.tenant_id, user.user_id)
        await self._queue(connection, await portable.finish_import(connection, user.owner_id))
        return Answer(imported=stream.counts, file_bytes=stream.file_bytes)

    async def _take_record(
        self, records: RecordStore, record: pb.ExportRecord, number: int
    ) -> None:
        row = records.checked(record.kind, fields_of(record, number), number)
        if record.kind == DOCUMENTS and row.get("source_type") == "upload":
            row["object_key"] = self._await(row, number).key
        columns = tuple(sorted(row))
        if (record.kind, columns) != (self._kind, self._columns):
            await self._flush(records)
            self._kind, self._columns = record.kind, columns
        self._rows.append((number, row))
        self._characters += len(record.json)
        full = len(self._rows) >= self._limits.batch_records
        if full or self._characters >= self._limits.batch_characters:
            await self._flush(records)

    async def _flush(self, records: RecordStore) -> None:
        rows, self._rows, self._characters = self._rows, [], 0
        if rows:
            await records.store(self._kind, self._columns, rows)

    def _await(self, row: dict[str, Any], number: int) -> StoredObject:
        file_id, sha256 = str(row.get("file_id")), str(row.get("sha256"))
        try:
            stored = StoredObject.imported(self._user, UUID(file_id))
        except ValueError:
            raise invalid("record", f"record {number}: file_id is no UUID") from None
        self._awaited[str(stored.file_id)] = _Awaited(
            stored, sha256.removeprefix("\\x"), str(row.get("mime_type"))
        )
        return stored

    async def _take_piece(self, piece: pb.ExportFilePiece) -> None:
        if piece.file_id != self._file_id:
            await self._end_file()
            if piece.file_id not in self._awaited:
                raise invalid("file_piece.file_id", f"no record names file {piece.file_id!r}")
            self._file_id = piece.file_id
        self._chunks.append(piece.chunk)
        if sum(map(len, self._chunks)) > self._limits.max_file_bytes:
            raise invalid("file_piece.chunk", f"file {piece.file_id} is too large")

    async def _end_file(self) -> None:
        """Uploads the file that has come; should the import fail, a job deletes its bytes."""
        if not self._file_id:
            return
        data, awaited = b"".join(self._chunks), self._awaited.pop(self._file_id)
        self._chunks, file_id, self._file_id = [], self._file_id, ""
        if hashlib.sha256(data).hexdigest() != awaited.sha256:
            raise invalid("file_piece.chunk", f"file {file_id}: the bytes are not those it had")
        # As the tenant: the user is closed to other writers.
        async with self._database.transaction(Scope(self._user.tenant_id)) as connection:
            await jobs.enqueue(
                connection,
                jobs.SWEEP_OBJECT,
                awaited.stored.payload(),
                delay_seconds=self._limits.sweep_seconds,
            )
        await self._objects.upload(awaited.stored.key, data, awaited.mime_type)

    async def _queue(self, connection: Connection, unfinished: list[portable.Unfinished]) -> None:
        """Jobs for what is to be extracted or digested and for everything that has no vector."""
        for digest_id in await portable.await_digests(connection, self._user.owner_id):
            await jobs.enqueue(connection, jobs.DIGEST, DigestJob(self._user, digest_id).payload())
        for each in unfinished:
            payload = {
                **self._user.payload(),
                "session_id": each.session_id,
                "extraction_id": str(each.extraction_id or new_id()),
            }
            await jobs.enqueue(connection, jobs.EXTRACT, payload)
        await jobs.enqueue(connection, jobs.EMBED, self._user.payload())
