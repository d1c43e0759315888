"""An import: the records of an export, for a user who has nothing yet; all of it or nothing.

Everything is received and checked first. Only then is there a transaction, and it waits for
nobody.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from mnema.v1 import lifecycle_service_pb2 as pb
from services.contract.digest_job import DigestJob
from services.contract.user import User
from services.providers.objects.storage import ObjectStorage
from services.reflect.lifecycle.columns import RecordChecks
from services.reflect.lifecycle.incoming import ImportStream, fields_of
from services.reflect.lifecycle.incoming_files import DOCUMENTS, IncomingFiles
from services.reflect.lifecycle.limits import TransferLimits, Turns
from services.reflect.lifecycle.spool import Spool
from services.runtime.database import Connection, Database
from services.runtime.errors import DeadlineExceeded
from services.runtime.ids import new_id
from services.runtime.scope import Scope
from services.storage import jobs, portable
from services.storage.foundation import register_user
from services.storage.owner_tables import USERS, OwnerTable, act_for, close_to_writers
from services.storage.portable import RecordStore
from services.storage.requests import answered, once

Answer = pb.ImportUserDataResponse
_Rows: TypeAlias = list[tuple[int, dict[str, Any]]]


@dataclass(slots=True)
class ImportCall:
    """Stands for the call where calls are told apart: whom it is for, and what it brings."""

    request_id: str
    described: bytes

    def SerializeToString(self, *, deterministic: bool = True) -> bytes:  # noqa: ARG002, N802
        """As a message has it."""
        return self.described


@dataclass(frozen=True, slots=True)
class _Begun:
    """What is known of the database before the first record: its tables, its clock."""

    tables: Sequence[OwnerTable]
    moment: datetime
    monotonic: float

    def seconds_until(self, moment: datetime) -> float:
        """By the database's clock."""
        passed = timedelta(seconds=time.monotonic() - self.monotonic)
        return (moment - self.moment - passed).total_seconds()


class Importer:
    """Takes imports in, a few at once. What has come of them waits in files of `folder`."""

    def __init__(
        self, database: Database, objects: ObjectStorage, limits: TransferLimits, folder: Path
    ) -> None:
        self._database = database
        self._objects = objects
        self._limits = limits
        self._folder = folder
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
        begun = await self._begin(user, call)
        if isinstance(begun, Answer):
            return begun
        files = IncomingFiles(self._database, self._objects, self._limits, user)
        async with Spool.open(self._folder, self._limits.max_record_bytes) as spool:
            checks = RecordChecks(begun.tables, begun.moment)
            await _receive(stream, checks, files, spool)
            await asyncio.sleep(begun.seconds_until(checks.newest))
            storing = _Storing(user, begun.tables, self._limits, spool, files)
            # Not `run`: nobody else writes for this user meanwhile.
            async with self._database.transaction(Scope(user.tenant_id)) as connection:
                await close_to_writers(connection, user.owner_id)
                await act_for(connection, user.owner_id)

                async def write() -> Answer:
                    await storing.store(connection)
                    return Answer(imported=stream.counts, file_bytes=stream.file_bytes)

                return await once(connection, user.owner_id, call, Answer, write)

    async def _begin(self, user: User, call: ImportCall) -> Answer | _Begun:
        """The answer to a call that is repeated. FailedPrecondition: the user has something."""
        async with self._database.transaction(user.scope, readonly=True) as connection:
            known = await answered(connection, user.owner_id, call, Answer)
            if known is not None:
                return known
            moment = await portable.begin_reading(connection)
            tables = await portable.portable_tables(connection)
            await portable.check_empty(connection, user.owner_id, user.user_id, tables)
        return _Begun(tables, moment, time.monotonic())


async def _receive(
    stream: ImportStream, checks: RecordChecks, files: IncomingFiles, spool: Spool
) -> None:
    """Everything up to the trailer: checked, the records in the spool, the bytes stored."""
    async for part in stream.parts():
        if isinstance(part, pb.ExportRecord):
            fields = fields_of(part, stream.records)
            checks.check(part.kind, fields, stream.records)
            if part.kind == DOCUMENTS:
                files.expect(fields, stream.records)
            await spool.add(part)
        else:
            await files.take(part)
    await files.end()


class _Storing:
    """What was received, on its way into the tables."""

    def __init__(
        self,
        user: User,
        tables: Sequence[OwnerTable],
        limits: TransferLimits,
        spool: Spool,
        files: IncomingFiles,
    ) -> None:
        self._user = user
        self._tables = tables
        self._limits = limits
        self._spool = spool
        self._files = files

    async def store(self, connection: Connection) -> None:
        """Stores all of it, in a transaction that has closed the user to other writers."""
        user, tables = self._user, self._tables
        await portable.check_empty(connection, user.owner_id, user.user_id, tables)
        await portable.forget_user_row(connection, user.owner_id)
        if self._spool.first_kind != USERS:
            await register_user(connection, user.owner_id, user.tenant_id, user.user_id)
        records = RecordStore(connection, user.owner_id, user.tenant_id, user.user_id, tables)
        async for kind, rows in self._batches(records):
            await records.store(kind, tuple(rows[0][1]), rows)
        await self._queue(connection, await portable.finish_import(connection, user.owner_id))

    async def _batches(self, records: RecordStore) -> AsyncIterator[tuple[str, _Rows]]:
        """Rows of one kind that have the same columns, some at a time."""
        last: tuple[str, frozenset[str]] = ("", frozenset())
        rows: _Rows = []
        number = characters = 0
        async for record in self._spool.records():
            number += 1
            row = records.row(record.kind, fields_of(record, number))
            if record.kind == DOCUMENTS:
                row["object_key"] = self._files.key_of(row)
            form = (record.kind, frozenset(row))
            full = len(rows) >= self._limits.batch_records
            if rows and (form != last or full or characters >= self._limits.batch_characters):
                yield last[0], rows
                rows, characters = [], 0
            last = form
            rows.append((number, row))
            characters += len(record.json)
        if rows:
            yield last[0], rows

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
