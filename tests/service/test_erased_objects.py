"""The bytes of an erased user's files: deleted by a job that goes on where it was interrupted."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.contract.stored_object import StoredObject
from services.contract.user import User
from services.files.object_jobs import ObjectJobs
from services.runtime.errors import Unavailable
from services.runtime.ids import new_id, owner_of
from services.runtime.scope import Scope
from services.storage import deletions, jobs
from services.storage.deletions import DeletionRow
from tests.conftest import TestDatabase
from tests.service.files_world import USER, World, files_world


@pytest.fixture
async def world(test_database: TestDatabase, tmp_path: Path) -> AsyncIterator[World]:
    async with files_world(test_database, tmp_path) as made:
        yield made


class Failing:
    """An object storage that goes away after some deletions."""

    def __init__(self, world: World, deletions: int) -> None:
        self._objects = world.objects
        self.left = deletions

    async def delete(self, key: str) -> None:
        if not self.left:
            raise Unavailable("the storage is away")
        self.left -= 1
        await self._objects.delete(key)


def user_of(world: World) -> User:
    return User(world.tenant_id, owner_of(world.tenant_id, USER), USER)


async def erase(world: World) -> DeletionRow:
    user = user_of(world)
    async with world.database.transaction(Scope(world.tenant_id)) as connection:
        return await deletions.erase_user(connection, user.tenant_id, user.owner_id, USER)


async def receipt(world: World, deletion_id: UUID) -> DeletionRow:
    user = user_of(world)
    async with world.database.transaction(Scope(world.tenant_id), readonly=True) as connection:
        return await deletions.get_deletion(connection, user.tenant_id, user.owner_id, deletion_id)


async def payloads(world: World) -> list[Any]:
    rows = await world.fetch("SELECT payload, entrypoint FROM pgqueuer")
    assert {row["entrypoint"] for row in rows} <= {jobs.ERASE_OBJECTS}
    return [json.loads(row["payload"]) for row in rows]


async def test_it_goes_on_where_it_was_interrupted(world: World) -> None:
    for number in range(20):
        await world.upload(f"{number}.txt", f"number {number}".encode())
    row = await erase(world)
    assert (row.objects_pending, row.objects_deleted, row.finished_at) == (20, 0, None)
    assert len(world.stored()) == 20
    (payload,) = await payloads(world)
    assert set(payload) == {"tenant_id", "deletion_id"}
    failing: Any = Failing(world, deletions=17)
    with pytest.raises(Unavailable):
        await ObjectJobs(world.database, failing).erase(payload)
    row = await receipt(world, row.deletion_id)
    assert (row.objects_pending, row.objects_deleted) == (4, 16)
    for _ in range(2):  # any number of times
        assert await world.run_jobs(jobs.ERASE_OBJECTS) == 1
        row = await receipt(world, row.deletion_id)
        assert (row.objects_pending, row.objects_deleted) == (0, 20)
        assert row.finished_at is not None
    assert world.stored() == []


async def test_bytes_of_an_upload_under_way_wait_for_its_end(
    world: World, test_database: TestDatabase
) -> None:
    await world.upload("a.txt", b"stored")
    orphan = StoredObject.new(user_of(world), new_id())
    async with world.database.transaction(Scope(world.tenant_id)) as connection:
        await jobs.enqueue(connection, jobs.SWEEP_OBJECT, orphan.payload(), delay_seconds=3600)
    await world.objects.upload(orphan.key, b"half-way")
    row = await erase(world)
    assert row.objects_pending == 2
    assert USER not in str(await payloads(world))
    await world.run_jobs(jobs.ERASE_OBJECTS)
    row = await receipt(world, row.deletion_id)
    assert (row.objects_pending, row.objects_deleted, row.finished_at) == (1, 1, None)
    assert [path.read_bytes() for path in world.stored()] == [b"half-way"]
    async with world.database.transaction(Scope(world.tenant_id)) as connection:
        await connection.execute("UPDATE deletion_objects SET due_at = now()")
    await world.run_jobs(jobs.ERASE_OBJECTS)
    assert world.stored() == []
    assert (await receipt(world, row.deletion_id)).finished_at is not None


async def test_what_became_a_file_after_the_deletion_keeps_its_bytes(world: World) -> None:
    """An upload that began before, and was acknowledged after: as if it came later."""
    file = await world.upload("late.txt", b"late")
    (path,) = world.stored()
    (row,) = await world.fetch("SELECT object_key FROM documents")
    deletion_id = new_id()
    async with world.database.transaction(Scope(world.tenant_id)) as connection:
        await connection.execute(
            "INSERT INTO deletions (tenant_id, deletion_id, owner_hash) VALUES ($1, $2, '')",
            world.tenant_id,
            deletion_id,
        )
        await connection.execute(
            "INSERT INTO deletion_objects VALUES ($1, $2, $3, now())",
            world.tenant_id,
            deletion_id,
            row["object_key"],
        )
        await deletions.queue_objects(connection, world.tenant_id, deletion_id, 0)
    await world.run_jobs(jobs.ERASE_OBJECTS)
    assert path.exists()
    assert await world.content(file.file_id) == b"late"
