"""The part of AccountService that keeps settings."""

from uuid import UUID

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import account_service_pb2 as pb
from mnema.v1.account_service_pb2_grpc import AccountServiceServicer
from services.accounts.authority import SettingsOf, settings_of
from services.accounts.settings import change_of, settings_message
from services.runtime.config import OptionSettings
from services.runtime.database import Connection, Database
from services.storage import options
from services.storage.options import Chosen
from services.storage.requests import once

Context = aio.ServicerContext[Message, Message]


class SettingsServicer(AccountServiceServicer):
    """Reads and changes what tenants and users choose; `server` holds where they don't."""

    def __init__(self, database: Database, server: OptionSettings) -> None:
        self._database = database
        self._server = server

    async def GetSettings(
        self, request: pb.GetSettingsRequest, context: Context
    ) -> pb.GetSettingsResponse:
        of = settings_of(request.tenant_id, request.user_id)
        async with self._database.transaction(of.scope, readonly=True) as connection:
            chosen = await options.read_options(connection, of.tenant_id, of.owner_id)
        return pb.GetSettingsResponse(
            settings=_own(of, chosen), effective_settings=self._effective(chosen)
        )

    async def UpdateSettings(
        self, request: pb.UpdateSettingsRequest, context: Context
    ) -> pb.UpdateSettingsResponse:
        of = settings_of(request.tenant_id, request.user_id)
        changes, cleared = change_of(request.settings, request.update_mask.paths)

        async def write(connection: Connection) -> pb.UpdateSettingsResponse:
            if of.owner_id is None:
                await options.change_tenant_options(connection, of.tenant_id, changes, cleared)
            else:
                await options.change_user_options(
                    connection, of.tenant_id, of.owner_id, of.user_id, changes, cleared
                )
            chosen = await options.read_options(connection, of.tenant_id, of.owner_id)
            return pb.UpdateSettingsResponse(
                settings=_own(of, chosen), effective_settings=self._effective(chosen)
            )

        async def work(connection: Connection) -> pb.UpdateSettingsResponse:
            key: UUID = of.owner_id or of.tenant_id
            return await once(
                connection, key, request, pb.UpdateSettingsResponse, lambda: write(connection)
            )

        return await self._database.run(of.scope, work)

    def _effective(self, chosen: Chosen) -> pb.Settings:
        return settings_message(chosen.over(self._server).model_dump())


def _own(of: SettingsOf, chosen: Chosen) -> pb.Settings:
    return settings_message(chosen.of_tenant if of.owner_id is None else chosen.of_user)
