"""Users to test with: a tenant, a user's row, and transactions that act for that user."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from services.runtime.database import Connection, Database, Scope
from services.runtime.ids import OwnerId, TenantId, owner_of
from services.storage import foundation
from tests.conftest import TestDatabase
from tests.patience import database_settings


@dataclass(frozen=True)
class Owner:
    """A registered user of a tenant of its own."""

    database: Database
    tenant_id: TenantId
    owner_id: OwnerId

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction that sees this user alone."""
        return self.database.transaction(Scope(self.tenant_id, self.owner_id))


async def new_tenant(database: Database) -> TenantId:
    """A tenant with nothing in it."""
    tenant_id = TenantId(uuid4())
    async with database.transaction(Scope(admin=True)) as connection:
        await connection.execute(
            "INSERT INTO tenants (tenant_id, name) VALUES ($1, 'test')", tenant_id
        )
    return tenant_id


async def new_owner(database: Database, user_id: str = "alice") -> Owner:
    """A user of a new tenant."""
    tenant_id = await new_tenant(database)
    owner = Owner(database, tenant_id, owner_of(tenant_id, user_id))
    async with owner.transaction() as connection:
        await foundation.register_user(connection, owner.owner_id, tenant_id, user_id)
    return owner


@asynccontextmanager
async def opened(test_database: TestDatabase) -> AsyncIterator[Database]:
    """The pool of a service on the test's database."""
    async with Database.open(database_settings(test_database.service_dsn)) as database:
        yield database
