"""An export: everything of a user as it was at one moment, as a stream."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from mnema.v1 import lifecycle_service_pb2 as pb
from services.contract.user import User
from services.providers.objects.storage import ObjectStorage
from services.reflect.lifecycle.convert import FORMAT, VERSION, timestamp
from services.reflect.lifecycle.limits import TransferLimits, Turns
from services.runtime.database import Connection, Database
from services.runtime.errors import NotFound, Unavailable
from services.storage import portable
from services.storage.owner_tables import USERS, OwnerTable

Part = pb.ExportUserDataResponse


class Exporter:
    """Reads from one snapshot, whatever is written meanwhile; holds some megabytes at a time."""

    def __init__(self, database: Database, objects: ObjectStorage, limits: TransferLimits) -> None:
        self._database = database
        self._objects = objects
        self._turns = Turns(limits.exports_at_once, "exports")

    async def parts(self, user: User) -> AsyncGenerator[Part]:
        """Header, records, bytes of files, trailer; NotFound if nothing was ever stored."""
        with self._turns.one():
            async with aclosing(self._parts(user)) as parts:
                async for part in parts:
                    yield part

    async def _parts(self, user: User) -> AsyncGenerator[Part]:
        async with self._database.transaction(
            user.scope, readonly=True, isolation="repeatable_read"
        ) as connection:
            moment = await portable.begin_reading(connection)
            tables = await portable.portable_tables(connection)
            counts = await portable.count_records(connection, user.owner_id, tables)
            if USERS not in counts:
                raise NotFound("user", user.user_id)
            yield Part(
                header=pb.ExportHeader(
                    format=FORMAT,
                    version=VERSION,
                    user_id=user.user_id,
                    exported_at=timestamp(moment),
                    counts=counts,
                )
            )
            async for record in _records(connection, tables, counts):
                yield record
            file_bytes = 0
            async for piece in self._file_pieces(connection):
                file_bytes += len(piece.file_piece.chunk)
                yield piece
            yield Part(trailer=pb.ExportTrailer(counts=counts, file_bytes=file_bytes))

    async def _file_pieces(self, connection: Connection) -> AsyncIterator[Part]:
        async for file_id, key in portable.read_objects(connection):
            try:
                async for chunk in self._objects.stream(key):
                    yield Part(file_piece=pb.ExportFilePiece(file_id=str(file_id), chunk=chunk))
            except NotFound as missing:
                # The snapshot still has the file; its bytes are in no snapshot.
                raise Unavailable(
                    f"file {file_id} was deleted while it was being exported", retry_after=1.0
                ) from missing


async def _records(
    connection: Connection, tables: Sequence[OwnerTable], counts: dict[str, int]
) -> AsyncIterator[Part]:
    for table in tables:
        if table.name in counts:
            async for text in portable.read_records(connection, table):
                yield Part(record=pb.ExportRecord(kind=table.name, json=text))
