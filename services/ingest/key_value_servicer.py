"""The gRPC face of key-values."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import key_value_service_pb2 as pb
from mnema.v1.key_value_service_pb2_grpc import KeyValueServiceServicer
from services.contract.json_values import python_of
from services.contract.user import User
from services.ingest import convert
from services.runtime.database import Connection, Database
from services.runtime.errors import NotFound, invalid
from services.runtime.paging import PageTokens, page_size
from services.storage import key_values
from services.storage.foundation import lock_owner, register_user
from services.storage.key_values import KeyValueRow
from services.storage.requests import once

Context = aio.ServicerContext[Message, Message]


class KeyValueServicer(KeyValueServiceServicer):
    """Values under names; the contract's comments say what each call does."""

    def __init__(self, database: Database, tokens: PageTokens) -> None:
        self._database = database
        self._tokens = tokens

    async def SetValue(self, request: pb.SetValueRequest, context: Context) -> pb.SetValueResponse:
        user = User.served(request.user_id)
        values = {request.key: python_of(request.value)}

        async def work(connection: Connection) -> pb.SetValueResponse:
            async def write() -> pb.SetValueResponse:
                (row,) = await _set(connection, user, request.namespace, values)
                return pb.SetValueResponse(key_value=convert.key_value_of(row, request.namespace))

            return await once(connection, user.owner_id, request, pb.SetValueResponse, write)

        return await self._database.run(user.scope, work)

    async def BatchSetValues(
        self, request: pb.BatchSetValuesRequest, context: Context
    ) -> pb.BatchSetValuesResponse:
        user = User.served(request.user_id)
        values = {key: python_of(value) for key, value in request.values.items()}
        if "" in values:
            raise invalid("values['']", "a key has at least one character", "FIELD_REQUIRED")

        async def work(connection: Connection) -> pb.BatchSetValuesResponse:
            async def write() -> pb.BatchSetValuesResponse:
                rows = await _set(connection, user, request.namespace, values)
                return pb.BatchSetValuesResponse(stored=len(rows))

            return await once(connection, user.owner_id, request, pb.BatchSetValuesResponse, write)

        return await self._database.run(user.scope, work)

    async def GetValue(self, request: pb.GetValueRequest, context: Context) -> pb.GetValueResponse:
        user = User.served(request.user_id)
        async with self._database.transaction(user.scope, readonly=True) as connection:
            row = await key_values.get_value(
                connection,
                user.owner_id,
                request.namespace,
                request.key,
                convert.moment_of(request, "as_of"),
            )
        if row is None:
            raise NotFound("key_value", f"{request.namespace}/{request.key}")
        return pb.GetValueResponse(key_value=convert.key_value_of(row, request.namespace))

    async def ListValues(
        self, request: pb.ListValuesRequest, context: Context
    ) -> pb.ListValuesResponse:
        user = User.served(request.user_id)
        size = page_size(request.page_size, default=100)
        async with self._database.transaction(user.scope, readonly=True) as connection:
            rows = await key_values.list_values(
                connection,
                user.owner_id,
                request.namespace,
                prefix=request.prefix,
                after=convert.name_of(self._tokens.decode(request)),
                limit=size + 1,
                as_of=convert.moment_of(request, "as_of"),
            )
        token = self._tokens.encode((rows[size - 1].key,), request) if len(rows) > size else ""
        return pb.ListValuesResponse(
            key_values=[convert.key_value_of(row, request.namespace) for row in rows[:size]],
            next_page_token=token,
        )

    async def DeleteValue(
        self, request: pb.DeleteValueRequest, context: Context
    ) -> pb.DeleteValueResponse:
        user = User.served(request.user_id)

        async def work(connection: Connection) -> list[str]:
            await lock_owner(connection, user.owner_id)
            return await key_values.delete_values(
                connection, user.owner_id, request.namespace, [request.key]
            )

        deleted = await self._database.run(user.scope, work)
        return pb.DeleteValueResponse(deleted=bool(deleted))


async def _set(
    connection: Connection, user: User, namespace: str, values: Mapping[str, Any]
) -> list[KeyValueRow]:
    await lock_owner(connection, user.owner_id)
    await register_user(connection, user.owner_id, user.tenant_id, user.user_id)
    return await key_values.set_values(connection, user.owner_id, namespace, values)
