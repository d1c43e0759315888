"""A target's services on a real port, behind the real interceptors; and a tenant to call them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from services.runtime.config import RuntimeSettings, ServerSettings
from services.runtime.database import Database
from services.runtime.ids import TenantId
from services.runtime.scope import Scope
from services.runtime.server import Servicers, new_server
from services.storage import accounts
from tests.patience import PATIENCE, database_settings

INTERNAL_KEY = SecretStr("the-internal-key-of-the-services-in-tests")


def settings_for(service_dsn: str, **branches: Any) -> RuntimeSettings:
    """Settings of a target that uses this database and any free port."""
    return RuntimeSettings(
        internal_key=INTERNAL_KEY,
        database=database_settings(service_dsn),
        server=ServerSettings(port=0, drain_seconds=PATIENCE),
        **branches,
    )


@asynccontextmanager
async def serving(servicers: Servicers, settings: RuntimeSettings) -> AsyncIterator[str]:
    """Serves until the end of the block; gives the address, "host:port"."""
    server = await new_server(servicers, settings)
    await server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop(drain_seconds=0)


async def new_tenant(database: Database, name: str = "tenant") -> tuple[TenantId, str]:
    """A tenant and a key of it."""
    async with database.transaction(Scope(admin=True)) as connection:
        tenant = await accounts.create_tenant(connection, name)
        _, key = await accounts.create_key(
            connection, accounts.NewKey("tenant", tenant.tenant_id, name="test")
        )
    return tenant.tenant_id, key
