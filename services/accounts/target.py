"""Puts the accounts service together."""

from contextlib import AsyncExitStack

from mnema.v1 import account_service_pb2_grpc
from services.accounts.servicer import AccountServicer
from services.runtime.config import RuntimeSettings
from services.runtime.database import Database
from services.runtime.paging import PageTokens
from services.runtime.server import Service, Servicers
from services.storage.accounts import DatabaseAuthenticator


async def build_accounts(settings: RuntimeSettings, stack: AsyncExitStack) -> Servicers:
    """The accounts target: needs the database, and no other service."""
    database = await stack.enter_async_context(Database.open(settings.database))
    servicer = AccountServicer(database, settings.options, PageTokens(settings.internal_key))
    return Servicers(
        services=(
            Service(
                "mnema.v1.AccountService",
                servicer,
                account_service_pb2_grpc.add_AccountServiceServicer_to_server,
            ),
        ),
        authenticator=DatabaseAuthenticator(database),
    )
