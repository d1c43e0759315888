"""The walls between users, and the writes that are safe to repeat."""

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID, uuid4

import asyncpg
import pytest

from mnema.v1.account_service_pb2 import CreateTenantRequest, CreateTenantResponse
from services.app.settings import Settings
from services.app.targets import builder_of
from services.runtime.database import Connection, Database, Scope
from services.runtime.errors import FailedPrecondition, RequestIdReused
from services.runtime.ids import OwnerId, TenantId, owner_of
from services.storage import foundation, jobs
from services.storage.migrate import required_revision
from services.storage.requests import once
from tests.conftest import Cluster, TestDatabase
from tests.patience import database_settings

WITHOUT_USERS_DATA = {"embedding_spaces", "alembic_version"}


async def test_every_table_is_walled(test_database: TestDatabase) -> None:
    connection = await asyncpg.connect(test_database.superuser_dsn)
    tables = await connection.fetch(
        "SELECT relname, relrowsecurity AND relforcerowsecurity AS walled FROM pg_class"
        " WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    )
    bypass = await connection.fetchval(
        "SELECT rolbypassrls OR rolsuper FROM pg_roles WHERE rolname = 'mnema_service'"
    )
    await connection.close()
    assert len(tables) > 20
    assert [row["relname"] for row in tables if not row["walled"]] == []
    assert bypass is False


async def test_owner_id_leads_every_key_of_what_users_own(test_database: TestDatabase) -> None:
    connection = await asyncpg.connect(test_database.superuser_dsn)
    keys = await connection.fetch(
        "SELECT c.relname, a.attname FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indrelid"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
        " WHERE c.relnamespace = 'public'::regnamespace AND EXISTS ("
        "   SELECT FROM pg_attribute o WHERE o.attrelid = c.oid AND o.attname = 'owner_id')"
    )
    await connection.close()
    led_otherwise = {
        (row["relname"], row["attname"]) for row in keys if row["attname"] != "owner_id"
    }
    assert led_otherwise == {
        ("users", "tenant_id"),  # the look-up of a tenant's users
        ("events", "tenant_id"),  # a tenant watches all of them
        ("events", "recorded_at"),  # what is too old goes, whosever it is
    }


async def test_a_forgotten_setting_shows_nothing(test_database: TestDatabase) -> None:
    tenant_id = TenantId(uuid4())
    owner_id = owner_of(tenant_id, "alice")
    async with Database.open(database_settings(test_database.service_dsn)) as database:
        await _make_alice(database, tenant_id, owner_id)
        async with database.transaction(Scope(owner_id=owner_id)) as connection:
            assert await connection.fetchval("SELECT count(*) FROM users") == 1
        plain = await asyncpg.connect(test_database.service_dsn)
        tables = await plain.fetch(
            "SELECT tablename AS relname FROM pg_tables WHERE schemaname = 'public'"
        )
        seen = {
            row["relname"]
            for row in tables
            if await plain.fetchval(f'SELECT EXISTS (SELECT FROM "{row["relname"]}")')
        }
        await plain.close()
    assert seen <= WITHOUT_USERS_DATA


async def test_another_owner_sees_and_writes_nothing(test_database: TestDatabase) -> None:
    tenant_id = TenantId(uuid4())
    alice, bob = owner_of(tenant_id, "alice"), owner_of(tenant_id, "bob")
    async with Database.open(database_settings(test_database.service_dsn)) as database:
        await _make_alice(database, tenant_id, alice)
        async with database.transaction(Scope(tenant_id=tenant_id, owner_id=bob)) as connection:
            assert await connection.fetchval("SELECT count(*) FROM users") == 0
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(
                    "INSERT INTO sessions (owner_id, session_id) VALUES ($1, 's')", alice
                )


async def test_a_request_is_answered_once(test_database: TestDatabase) -> None:
    tenant_id = TenantId(uuid4())
    owner_id = owner_of(tenant_id, "alice")
    runs = 0
    async with Database.open(database_settings(test_database.service_dsn)) as database:
        await _make_alice(database, tenant_id, owner_id)

        async def call(request: CreateTenantRequest) -> CreateTenantResponse:
            async def write() -> CreateTenantResponse:
                nonlocal runs
                runs += 1
                await asyncio.sleep(0.05)  # so that the calls overlap
                return CreateTenantResponse(api_key=f"run {runs}")

            async with database.transaction(Scope(owner_id=owner_id)) as connection:
                return await once(connection, owner_id, request, CreateTenantResponse, write)

        request = CreateTenantRequest(name="a", request_id=str(uuid4()))
        answers = await asyncio.gather(*[call(request) for _ in range(5)])
        assert {answer.api_key for answer in answers} == {"run 1"}
        with pytest.raises(RequestIdReused):
            await call(CreateTenantRequest(name="b", request_id=request.request_id))
    assert runs == 1


async def test_a_job_exists_exactly_if_its_transaction_commits(test_database: TestDatabase) -> None:
    owner_id = OwnerId(UUID(int=1))
    async with Database.open(database_settings(test_database.service_dsn)) as database:
        with pytest.raises(ZeroDivisionError):
            async with database.transaction(Scope(owner_id=owner_id)) as connection:
                await jobs.enqueue(connection, jobs.EMBED, {"owner_id": str(owner_id)})
                raise ZeroDivisionError
        assert await _queued(database) == 0
        async with database.transaction(Scope(owner_id=owner_id)) as connection:
            await jobs.enqueue(connection, jobs.EMBED, {"owner_id": str(owner_id)})
        assert await _queued(database) == 1


async def test_a_program_refuses_a_schema_that_is_too_old(
    test_database: TestDatabase, cluster: Cluster
) -> None:
    assert int(required_revision()) >= foundation.REQUIRED_SCHEMA
    async with Database.open(database_settings(test_database.service_dsn)) as database:
        found = await database.check_schema(foundation.schema_revision, foundation.REQUIRED_SCHEMA)
        assert found == int(required_revision())
        with pytest.raises(FailedPrecondition, match="run migrations"):
            await database.check_schema(foundation.schema_revision, found + 1)
    settings = Settings(database=database_settings(cluster.dsn("mnema_service", "postgres")))
    async with AsyncExitStack() as stack:
        with pytest.raises(FailedPrecondition, match="the database has schema 0"):
            await builder_of(["accounts"])(settings, stack)


async def _make_alice(database: Database, tenant_id: TenantId, owner_id: OwnerId) -> None:
    async with database.transaction(Scope(admin=True)) as connection:
        await connection.execute(
            "INSERT INTO tenants (tenant_id, name) VALUES ($1, 't')", tenant_id
        )

    async def register(connection: Connection) -> None:
        await foundation.register_user(connection, owner_id, tenant_id, "alice")

    await database.run(Scope(tenant_id=tenant_id, owner_id=owner_id), register)


async def _queued(database: Database) -> int:
    async with database.transaction(Scope(queue=True)) as connection:
        count = await connection.fetchval("SELECT count(*) FROM pgqueuer")
    assert isinstance(count, int)
    return count
