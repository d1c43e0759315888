"""Bytes and rows stay in step: no orphan in storage or database, no file without its bytes."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import grpc
import pytest
from moto.server import ThreadedMotoServer

from mnema.v1 import file_service_pb2 as pb
from mnema.v1.file_service_pb2_grpc import FileServiceStub
from services.embedded.ports import free_ports
from services.files.limits import FileSettings
from services.providers.objects.settings import ObjectSettings
from services.storage import jobs
from tests.conftest import TestDatabase
from tests.service.files_world import MIB, USER, World, files_world, refused, until
from tests.unit.test_objects import s3_settings

INTERNAL = (grpc.StatusCode.INTERNAL, "INTERNAL")
TABLES = ("documents", "chunks", "search_items", "postings")


@pytest.fixture
async def world(test_database: TestDatabase, tmp_path: Path) -> AsyncIterator[World]:
    async with files_world(test_database, tmp_path) as made:
        yield made


@pytest.fixture
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def rows_of(world: World) -> list[int]:
    return [await world.count(table) for table in TABLES]


async def test_bytes_whose_file_never_came_to_be_are_swept(
    world: World, test_database: TestDatabase
) -> None:
    superuser = await asyncpg.connect(test_database.superuser_dsn)
    # Everything goes well, up to the last row: the transaction can't commit.
    await superuser.execute("ALTER TABLE search_items ADD CONSTRAINT down CHECK (false) NOT VALID")
    assert (await refused(world.upload("a.txt", b"some words")))[:2] == INTERNAL
    assert len(world.stored()) == 1
    assert await rows_of(world) == [0, 0, 0, 0]
    assert await world.run_jobs(jobs.SWEEP_OBJECT) == 1
    assert world.stored() == []
    assert await world.run_jobs(jobs.SWEEP_OBJECT) == 1  # a second time does no harm
    await superuser.execute("ALTER TABLE search_items DROP CONSTRAINT down")
    await superuser.close()
    file = await world.upload("a.txt", b"some words")
    await world.run_jobs(jobs.SWEEP_OBJECT)
    assert await world.content(file.file_id) == b"some words"


@asynccontextmanager
async def a_process(
    world: World, service_dsn: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[asyncio.subprocess.Process, "grpc.aio.Channel"]]:
    """The target as a process of its own on the same database and folder, to be killed."""
    (port,) = free_ports(1)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.app.serve", "files"),
        env={
            **os.environ,
            "MNEMA_HOME": str(world.settings.home),
            "MNEMA_DATABASE__DSN": service_dsn,
            "MNEMA_SERVER__PORT": str(port),
            **(environment or {}),
        },
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await asyncio.wait_for(channel.channel_ready(), 60)
            yield child, channel
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def test_a_process_killed_before_the_commit_leaves_nothing(
    world: World, test_database: TestDatabase
) -> None:
    superuser = await asyncpg.connect(test_database.superuser_dsn)

    async def bytes_are_written() -> bool:
        return len(world.stored()) == 1

    async with (
        a_process(world, test_database.service_dsn) as (child, channel),
        superuser.transaction(),
    ):
        await superuser.execute("LOCK TABLE documents IN EXCLUSIVE MODE")
        request = pb.CreateFileRequest(user_id=USER, filename="a.txt", file_data=b"words")
        call = FileServiceStub(channel).CreateFile(
            request, metadata=[("x-api-key", world.key)], timeout=60
        )
        call.add_done_callback(lambda _: None)  # sends it
        await until(bytes_are_written)
        child.kill()
        await child.wait()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    assert await rows_of(world) == [0, 0, 0, 0]
    assert len(world.stored()) == 1
    await superuser.execute("UPDATE pgqueuer SET execute_after = now()")  # an hour later
    await superuser.close()

    async def nothing_is_left() -> bool:
        return world.stored() == [] and await world.count("pgqueuer") == 0

    async with world.working():
        await until(nothing_is_left)


async def test_the_sweep_waits_until_no_upload_can_be_under_way(world: World) -> None:
    await world.upload("a.txt", b"some words")
    (row,) = await world.fetch(
        "SELECT execute_after - now() > interval '50 minutes' AS later FROM pgqueuer"
        " WHERE entrypoint = $1",
        jobs.SWEEP_OBJECT,
    )
    assert row["later"]
    with pytest.raises(ValueError, match="sweep_seconds"):
        FileSettings(store_seconds=10, sweep_seconds=20)


async def test_deleting_takes_everything(world: World) -> None:
    kept = await world.upload("b.txt", b"other words")
    before = await rows_of(world)
    file = await world.upload("a.txt", b"some words. " * 1000)
    assert await world.delete(file.file_id)
    assert not await world.delete(file.file_id)
    assert await rows_of(world) == before
    get = pb.GetFileRequest(user_id=USER, file_id=file.file_id)
    refusal = await refused(world.call("GetFile", get))
    assert refusal[:2] == (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")
    assert refusal[2] == {"resource_type": "file", "resource_name": file.file_id}
    assert (await refused(world.download(file.file_id)))[0] == grpc.StatusCode.NOT_FOUND
    assert len(world.stored()) == 2
    assert await world.run_jobs(jobs.DELETE_OBJECT) == 1
    assert await world.run_jobs(jobs.DELETE_OBJECT) == 1
    assert len(world.stored()) == 1
    assert await world.content(kept.file_id) == b"other words"


async def test_the_worker_deletes_the_bytes(world: World) -> None:
    file = await world.upload("a.txt", b"some words")
    gone = await world.upload("b.txt", b"other words")

    async def one_is_left() -> bool:
        return len(world.stored()) == 1

    async with world.working():
        assert await world.delete(gone.file_id)
        await until(one_is_left)
    assert await world.content(file.file_id) == b"some words"


async def test_of_deletions_at_once_one_says_so(world: World) -> None:
    file = await world.upload("a.txt", b"some words")
    said = await asyncio.gather(*[world.delete(file.file_id) for _ in range(4)])
    assert sorted(said) == [False, False, False, True]


async def test_damaged_bytes_never_look_whole(world: World) -> None:
    data = bytes(MIB) + b"the end"
    file = await world.upload("a.bmp", b"BM" + data)
    (path,) = world.stored()
    path.write_bytes(b"BM" + data[:-1] + b"!")
    received = 0

    async def download() -> None:
        nonlocal received
        request = pb.DownloadFileRequest(user_id=USER, file_id=file.file_id)
        async for body in world.call("DownloadFile", request):
            received += len(body.data)

    assert (await refused(download()))[:2] == INTERNAL
    assert received == MIB  # all but the last piece
    path.unlink()
    assert (await refused(download()))[:2] == INTERNAL


async def test_the_same_with_s3(
    test_database: TestDatabase, tmp_path: Path, s3_endpoint: str
) -> None:
    settings = s3_settings(s3_endpoint, prefix="mnema/")
    async with files_world(test_database, tmp_path, objects=settings) as world:
        data = b"Alice flies to Lisbon. " * 20_000
        file = await world.upload("a.txt", data)
        bodies = await world.download(file.file_id)
        assert b"".join(body.data for body in bodies) == data
        assert [body.content_type for body in bodies] == ["text/plain", ""]
        key = f"{world.tenant_id}/{(await owner_of_rows(world))}/{file.file_id}"
        assert await world.objects.exists(key)
        await world.run_jobs(jobs.SWEEP_OBJECT)
        assert await world.objects.exists(key)
        assert await world.delete(file.file_id)
        await world.run_jobs(jobs.DELETE_OBJECT)
        assert not await world.objects.exists(key)


async def test_a_process_killed_while_s3_takes_the_bytes_leaves_nothing(
    test_database: TestDatabase, tmp_path: Path, s3_endpoint: str
) -> None:
    settings = s3_settings(s3_endpoint)
    superuser = await asyncpg.connect(test_database.superuser_dsn)
    async with files_world(test_database, tmp_path, objects=settings) as world:

        async def stored() -> int:
            """Objects of the file that the sweep knows of."""
            rows = await world.fetch(
                "SELECT payload FROM pgqueuer WHERE entrypoint = $1", jobs.SWEEP_OBJECT
            )
            keys = [json.loads(row["payload"])["object_key"] for row in rows]
            return sum([await world.objects.exists(key) for key in keys])

        async def is_stored() -> bool:
            return await stored() == 1

        async with (
            a_process(world, test_database.service_dsn, s3_environment(settings)) as (
                child,
                channel,
            ),
            superuser.transaction(),
        ):
            await superuser.execute("LOCK TABLE documents IN EXCLUSIVE MODE")
            request = pb.CreateFileRequest(user_id=USER, filename="a.txt", file_data=b"words")
            call = FileServiceStub(channel).CreateFile(
                request, metadata=[("x-api-key", world.key)], timeout=60
            )
            call.add_done_callback(lambda _: None)
            await until(is_stored)
            child.kill()
            await child.wait()
            with pytest.raises(grpc.aio.AioRpcError):
                await call
        assert await rows_of(world) == [0, 0, 0, 0]
        assert await world.run_jobs(jobs.SWEEP_OBJECT) == 1
        assert await stored() == 0
    await superuser.close()


def s3_environment(settings: ObjectSettings) -> dict[str, str]:
    """The settings as a process is told them."""
    assert settings.secret_access_key is not None
    told = settings.model_dump(exclude_defaults=True) | {
        "secret_access_key": settings.secret_access_key.get_secret_value()
    }
    return {f"MNEMA_OBJECTS__{name.upper()}": str(value) for name, value in told.items()}


async def owner_of_rows(world: World) -> str:
    (row,) = await world.fetch("SELECT owner_id FROM documents")
    return str(row["owner_id"])
