"""One PostgreSQL holds it all: one dump is the whole backup."""

import asyncio
import subprocess

import asyncpg
import pytest

from services.app.local_stack import LocalStack
from services.embedded.postgres import binaries
from tests.e2e.gateway import Gateway
from tests.e2e.waiting import until

TABLES = (
    "messages",
    "search_items",
    "postings",
    "memories",
    "key_values",
    "extractions",
    "vectors_1",
    "codes_1",
    "collection_sizes",
)


@pytest.mark.feature("N23")
def test_a_dump_restores_all_of_it(stack: LocalStack, gateway: Gateway, user_id: str) -> None:
    user = {"user_id": user_id}
    gateway.call("IngestService.Ingest", {**user, "role": "user", "content": "Kept in one place"})
    gateway.call("MemoryService.AddMemory", {**user, "memory": {"content": "A memory to keep"}})
    gateway.call("KeyValueService.SetValue", {**user, "namespace": "n", "key": "k", "value": 1})
    until(
        lambda: gateway.call("IngestService.GetIngestStatus", user),
        lambda status: not any(int(status[each]) for each in status),
    )
    source = stack.postgres.access().superuser_dsn
    copied = f"copy_{user_id.replace('-', '_')}"
    target = stack.postgres.dsn(copied)
    asyncio.run(_administer(stack, f"CREATE DATABASE {copied}"))
    try:
        dump = subprocess.run([binaries() / "pg_dump", source], check=True, capture_output=True)
        restore = [str(binaries() / "psql"), "--quiet", "-v", "ON_ERROR_STOP=1", target]
        subprocess.run(restore, input=dump.stdout, check=True, stdout=subprocess.DEVNULL)
        original = asyncio.run(_rows(source, user_id))
        assert asyncio.run(_rows(target, user_id)) == original
        assert all(original[table] for table in TABLES)
    finally:
        asyncio.run(_administer(stack, f"DROP DATABASE IF EXISTS {copied} WITH (FORCE)"))


async def _administer(stack: LocalStack, statement: str) -> None:
    connection = await asyncpg.connect(stack.postgres.dsn())
    await connection.execute(statement)
    await connection.close()


async def _rows(dsn: str, user_id: str) -> dict[str, list[str]]:
    """All that a database has of the user, and the walls around it."""
    connection = await asyncpg.connect(dsn)
    owner_id = await connection.fetchval("SELECT owner_id FROM users WHERE user_id = $1", user_id)
    found = {}
    for table in TABLES:
        rows = f"SELECT {table}::text FROM {table} WHERE owner_id = $1 ORDER BY 1"
        found[table] = [row[0] for row in await connection.fetch(rows, owner_id)]
    policies = "SELECT tablename || ': ' || policyname || qual FROM pg_policies ORDER BY 1"
    found["policies"] = [row[0] for row in await connection.fetch(policies)]
    await connection.close()
    return found
