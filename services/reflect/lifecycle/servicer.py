"""LifecycleService over gRPC."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import UUID

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import lifecycle_service_pb2 as pb
from mnema.v1.lifecycle_service_pb2_grpc import LifecycleServiceServicer
from services.contract.user import User
from services.reflect.lifecycle.convert import deletion_message
from services.reflect.lifecycle.exporting import Exporter
from services.reflect.lifecycle.importing import Importer
from services.runtime.database import Connection, Database
from services.runtime.scope import Scope
from services.storage import deletions
from services.storage.requests import once

Context = aio.ServicerContext[Message, Message]


class LifecycleServicer(LifecycleServiceServicer):
    """Erases, exports and imports users; the contract's comments say what each call does."""

    def __init__(self, database: Database, exporter: Exporter, importer: Importer) -> None:
        self._database = database
        self._exporter = exporter
        self._importer = importer

    async def DeleteUserData(
        self, request: pb.DeleteUserDataRequest, context: Context
    ) -> pb.DeleteUserDataResponse:
        user = User.served(request.user_id)

        async def work(connection: Connection) -> pb.DeleteUserDataResponse:
            async def write() -> pb.DeleteUserDataResponse:
                row = await deletions.erase_user(
                    connection, user.tenant_id, user.owner_id, user.user_id
                )
                return pb.DeleteUserDataResponse(deletion=deletion_message(row))

            # Kept as the tenant's: what is kept as the user's is erased.
            return await once(connection, user.tenant_id, request, pb.DeleteUserDataResponse, write)

        return await self._database.run(Scope(user.tenant_id), work)

    async def GetDeletion(
        self, request: pb.GetDeletionRequest, context: Context
    ) -> pb.GetDeletionResponse:
        user = User.served(request.user_id)
        async with self._database.transaction(Scope(user.tenant_id), readonly=True) as connection:
            row = await deletions.get_deletion(
                connection, user.tenant_id, user.owner_id, UUID(request.deletion_id)
            )
        return pb.GetDeletionResponse(deletion=deletion_message(row))

    async def ExportUserData(
        self, request: pb.ExportUserDataRequest, context: Context
    ) -> AsyncIterator[pb.ExportUserDataResponse]:
        # A caller who leaves early frees the snapshot at once.
        async with aclosing(self._exporter.parts(User.served(request.user_id))) as parts:
            async for part in parts:
                yield part

    async def ImportUserData(
        self, request_iterator: AsyncIterator[pb.ImportUserDataRequest], context: Context
    ) -> pb.ImportUserDataResponse:
        return await self._importer.take(request_iterator)
