"""Ranking profiles in the database: the tenant's to change, its users' to read, nobody else's."""

import asyncpg
import pytest

from services.runtime.database import Database
from services.runtime.errors import NotFound, ResourceExhausted
from services.runtime.ids import TenantId, new_id, owner_of
from services.runtime.scope import Scope
from services.storage import accounts
from services.storage.ranking_profiles import (
    MOST_PROFILES,
    delete_profile,
    get_profile,
    list_profiles,
    put_profile,
)
from tests.conftest import TestDatabase
from tests.store.owners import opened


async def new_tenant(database: Database) -> TenantId:
    async with database.transaction(Scope(admin=True)) as connection:
        return (await accounts.create_tenant(connection, "tenant")).tenant_id


async def test_a_profile_is_replaced_and_deleted(test_database: TestDatabase) -> None:
    async with opened(test_database) as database:
        tenant = await new_tenant(database)
        async with database.transaction(Scope(tenant)) as connection:
            await put_profile(connection, tenant, "b", {"signals": {"bm25": [1, 0.5]}})
            await put_profile(connection, tenant, "a", {})
            stored = await put_profile(connection, tenant, "b", {"fusion": "signals"})
            assert [row.name for row in await list_profiles(connection, tenant)] == ["a", "b"]
            assert await get_profile(connection, tenant, "b") == stored
            assert stored.body == {"fusion": "signals"}
            assert await delete_profile(connection, tenant, "b")
            assert not await delete_profile(connection, tenant, "b")
            assert await get_profile(connection, tenant, "b") is None


async def test_users_read_and_others_do_not_see(test_database: TestDatabase) -> None:
    async with opened(test_database) as database:
        tenant, other = await new_tenant(database), await new_tenant(database)
        async with database.transaction(Scope(tenant)) as connection:
            await put_profile(connection, tenant, "a", {"x": 1})
        alice = Scope(tenant, owner_of(tenant, "alice"))
        async with database.transaction(alice) as connection:
            found = await get_profile(connection, tenant, "a")
            assert found is not None
            assert found.body == {"x": 1}
            assert not await delete_profile(connection, tenant, "a")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction(alice) as connection:
                await connection.execute(
                    "INSERT INTO ranking_profiles (tenant_id, name, body) VALUES ($1, 'z', '{}')",
                    tenant,
                )
        async with database.transaction(Scope(other)) as connection:
            assert await get_profile(connection, tenant, "a") is None
            assert not await delete_profile(connection, tenant, "a")
            assert await connection.fetchval("SELECT count(*) FROM ranking_profiles") == 0
        async with database.transaction(Scope(tenant)) as connection:
            assert await get_profile(connection, tenant, "a") == found


async def test_there_is_a_most_and_a_tenant(test_database: TestDatabase) -> None:
    async with opened(test_database) as database:
        tenant, nobody = await new_tenant(database), TenantId(new_id())
        async with database.transaction(Scope(tenant)) as connection:
            for number in range(MOST_PROFILES):
                await put_profile(connection, tenant, f"p{number}", {})
            await put_profile(connection, tenant, "p7", {"again": True})
            with pytest.raises(ResourceExhausted):
                await put_profile(connection, tenant, "one-more", {})
        async with database.transaction(Scope(nobody)) as connection:
            with pytest.raises(NotFound):
                await put_profile(connection, nobody, "p", {})
