"""Imports at the service: received whole, then stored at once; nothing is left of what fails."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from mnema.v1 import lifecycle_service_pb2 as pb
from services.contract.user import User
from services.providers.objects.folder import FolderStorage
from services.reflect.lifecycle.importing import Importer
from services.reflect.lifecycle.limits import TransferLimits
from services.runtime.context import act_for
from services.runtime.database import Database
from services.runtime.errors import (
    FailedPrecondition,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)
from services.runtime.ids import owner_of
from tests.conftest import TestDatabase
from tests.store.owners import new_tenant, opened

LIMITS = TransferLimits()
Part = pb.ImportUserDataRequest
Records = Sequence[tuple[str, dict[str, Any]]]


@dataclass
class World:
    """An importer with its database, and a superuser who sees everything."""

    database: Database
    superuser: Any
    user: User
    folder: Path
    objects: FolderStorage
    limits: TransferLimits = field(default=LIMITS)

    async def take(self, parts: AsyncIterator[Part]) -> pb.ImportUserDataResponse:
        importer = Importer(self.database, self.objects, self.limits, self.folder)
        with act_for(self.user.tenant_id, self.user.user_id, timeout=60):
            return await importer.take(parts)

    async def stored(self, table: str) -> int:
        count: int = await self.superuser.fetchval(f"SELECT count(*) FROM {table}")
        return count

    async def writers(self) -> int:
        """How many transactions hold up what everybody is told."""
        count: int = await self.superuser.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL "
            "OR state LIKE 'idle in transaction%')"
        )
        return count

    def swept(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture
async def world(test_database: TestDatabase, tmp_path: Path) -> AsyncIterator[World]:
    objects = FolderStorage(tmp_path / "objects")
    await objects.init()
    superuser = await asyncpg.connect(test_database.superuser_dsn)
    async with opened(test_database) as database:
        tenant_id = await new_tenant(database)
        user = User(tenant_id, owner_of(tenant_id, "ada"), "ada")
        yield World(database, superuser, user, tmp_path / "home", objects)
    await superuser.close()


def memory(content: str = "Ada has tea.") -> tuple[str, dict[str, Any]]:
    own = {"item_id": str(uuid4()), "memory_id": str(uuid4()), "memory_type": "fact"}
    return "memories", {**own, "content": content}


def file(data: bytes, **fields: Any) -> tuple[str, dict[str, Any]]:
    own = {
        "file_id": str(uuid4()),
        "number": 1,
        "filename": "a.bin",
        "file_type": "txt",
        "mime_type": "text/plain",
        "size_bytes": len(data),
        "sha256": f"\\x{sha256(data).hexdigest()}",
        "source_type": "upload",
    }
    return "documents", {**own, **fields}


async def parts(
    records: Records, pieces: dict[str, bytes] | None = None, wait: asyncio.Event | None = None
) -> AsyncIterator[Part]:
    """An import; with `wait` it stands still before its trailer."""
    yield Part(target=pb.ImportTarget(user_id="ada"))
    yield Part(header=pb.ExportHeader(format="mnema.export", version=1))
    for kind, fields in records:
        yield Part(record=pb.ExportRecord(kind=kind, json=json.dumps(fields)))
    for file_id, data in (pieces or {}).items():
        yield Part(file_piece=pb.ExportFilePiece(file_id=file_id, chunk=data))
    if wait is not None:
        await wait.wait()
    counts = Counter(kind for kind, _ in records)
    size = sum(map(len, (pieces or {}).values()))
    yield Part(trailer=pb.ExportTrailer(counts=counts, file_bytes=size))


async def test_nobody_waits_for_a_caller_who_dawdles(world: World) -> None:
    kind, document = file(b"bytes")
    wait = asyncio.Event()
    records = [(kind, document), *(memory(f"Thing {each}.") for each in range(500))]
    stream = parts(records, {document["file_id"]: b"bytes"}, wait)
    running = asyncio.create_task(world.take(stream))
    for _ in range(20):
        await asyncio.sleep(0.05)
        assert not running.done()
    assert await world.writers() == 0
    assert await world.stored("memories") == 0
    wait.set()
    assert (await running).imported == {"documents": 1, "memories": 500}
    assert await world.stored("memories") == 500
    key = await world.superuser.fetchval("SELECT object_key FROM documents")
    assert await world.objects.download(key) == b"bytes"


async def test_who_leaves_leaves_nothing(world: World) -> None:
    wait = asyncio.Event()
    running = asyncio.create_task(world.take(parts([memory("x" * 9_000)] * 300, None, wait)))
    await asyncio.sleep(0.5)
    assert world.swept() == []  # what has come is in a file that has no name
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await world.writers() == 0
    assert (await world.take(parts([memory()]))).imported == {"memories": 1}


async def test_bytes_of_an_import_that_fails_are_swept(world: World) -> None:
    kind, document = file(b"bytes")
    wrong = parts([(kind, document), memory("")], {document["file_id"]: b"bytes"})
    with pytest.raises(InvalidArgument, match=r"record 2 \(memories\): content must not be blank"):
        await world.take(wrong)
    late = parts([(kind, document), ("messages", {})], {document["file_id"]: b"bytes"})
    with pytest.raises(InvalidArgument, match=r"record 2 \(messages\): null value in column"):
        await world.take(late)
    assert await world.stored("documents") == await world.stored("users") == 0
    jobs = await world.superuser.fetch("SELECT entrypoint, payload FROM pgqueuer")
    assert [each["entrypoint"] for each in jobs] == ["sweep_object"]
    key = json.loads(jobs[0]["payload"])["object_key"]
    assert await world.objects.exists(key)


async def test_a_file_has_the_size_that_its_record_says(world: World) -> None:
    kind, document = file(b"bytes", size_bytes=4)
    wrong = parts([(kind, document)], {document["file_id"]: b"bytes"})
    with pytest.raises(InvalidArgument, match="has 5 bytes, its record says 4"):
        await world.take(wrong)


async def test_what_the_index_does_not_take_is_refused(world: World) -> None:
    """What no check of a single value finds out."""
    text = b"abc"
    own = {"source_type": "text", "source_text": "abc", "number": 1}
    kind, document = file(text, **own)
    chunk = {
        "chunk_id": str(uuid4()),
        "file_id": document["file_id"],
        "position": 0,
        "content": "abc",
        "start_offset": 2**40,
        "end_offset": 2**40,
    }
    with pytest.raises(InvalidArgument, match="chunks: "):
        await world.take(parts([(kind, document), ("chunks", chunk)]))
    assert await world.stored("documents") == await world.stored("users") == 0


async def test_a_user_with_data_is_refused_before_anything_is_sent(world: World) -> None:
    await world.take(parts([memory()]))
    stream = parts([memory()])
    with pytest.raises(FailedPrecondition, match="has memories already"):
        await world.take(stream)
    assert await anext(stream) is not None
    assert (await anext(stream)).WhichOneof("part") == "trailer"


async def test_two_at_once_make_one(world: World) -> None:
    """The user is empty for both when they begin."""
    wait = asyncio.Event()
    both = [asyncio.create_task(world.take(parts([memory()], None, wait))) for _ in range(2)]
    await asyncio.sleep(0.3)
    wait.set()
    first, second = await asyncio.gather(*both, return_exceptions=True)
    failed = [each for each in (first, second) if isinstance(each, BaseException)]
    assert [type(each) for each in failed] == [FailedPrecondition]
    assert await world.stored("memories") == 1


async def test_records_have_a_limit_together(world: World) -> None:
    world.limits = replace(LIMITS, max_record_bytes=10_000)
    with pytest.raises(ResourceExhausted, match="at most 10000 bytes of records"):
        await world.take(parts([memory("x" * 6_000)] * 2))
    await world.take(parts([memory("x" * 9_000)]))


async def test_a_disk_that_takes_nothing_is_said(world: World) -> None:
    world.folder.write_text("no folder")
    with pytest.raises(Unavailable, match="no room"):
        await world.take(parts([memory()]))


async def test_a_column_of_a_new_type_is_the_databases_to_check(world: World) -> None:
    await world.superuser.execute(
        """
        CREATE TABLE new_things (
            owner_id uuid NOT NULL REFERENCES users, n bigint NOT NULL,
            pause interval, size numeric,
            sizes double precision[] NOT NULL DEFAULT '{}', about jsonb NOT NULL DEFAULT '{}',
            CONSTRAINT pk_new_things PRIMARY KEY (owner_id, n));
        CREATE POLICY by_owner ON new_things
            USING (owner_id = nullif(current_setting('mnema.owner', true), '')::uuid);
        ALTER TABLE new_things ENABLE ROW LEVEL SECURITY;
        GRANT ALL ON new_things TO mnema_service;
        """
    )
    thing = {"n": 1, "pause": "3 days", "size": 2.5, "sizes": [1, 2.5], "about": {"a": 1}}
    bad = {"n": 2**60, "pause": "x", "size": [1], "sizes": ["NaN"], "about": []}
    for name, value in bad.items():
        with pytest.raises(InvalidArgument, match=r"record 1 \(new_things\): "):
            await world.take(parts([("new_things", {**thing, name: value})]))
    assert (await world.take(parts([("new_things", thing)]))).imported == {"new_things": 1}
