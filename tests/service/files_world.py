"""The files target, running with a folder or S3; and two tenants' ways to call it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from mnema.client._async.transport import upload
from mnema.v1 import file_service_pb2 as pb
from mnema.v1.file_service_pb2_grpc import FileServiceStub
from services.app.settings import Settings
from services.app.worker import build_worker
from services.files.limits import FileSettings
from services.files.object_jobs import ObjectJobs
from services.files.target import build_files, open_objects
from services.providers.objects.settings import ObjectSettings
from services.providers.objects.storage import ObjectStorage
from services.runtime.config import PeerSettings, ServerSettings
from services.runtime.database import Database
from services.runtime.ids import TenantId, owner_of
from services.runtime.scope import Scope
from tests.conftest import TestDatabase
from tests.patience import PATIENCE, database_settings
from tests.service.serving import INTERNAL_KEY, new_tenant, serving

USER = "alice"
MIB = 1024 * 1024
PUBLIC_URL = "https://memory.example.com"


@dataclass
class World:
    """A running files target, and a tenant that calls it."""

    settings: Settings
    database: Database
    objects: ObjectStorage
    address: str
    tenant_id: TenantId
    key: str
    stub: Any

    def call(self, method: str, request: Any, **options: Any) -> Any:
        options = {"timeout": PATIENCE, "metadata": [("x-api-key", self.key)], **options}
        return getattr(self.stub, method)(request, **options)

    async def send(self, stream: Any) -> pb.UploadFileResponse:
        """Uploads as the client does, which hears what ends a stream that is still being sent."""
        metadata = (("x-api-key", self.key),)
        return await upload(self.stub.UploadFile, stream, PATIENCE, metadata)

    async def upload(
        self, filename: str, data: bytes, *, user_id: str = USER, piece: int = MIB, **described: Any
    ) -> pb.File:
        new = pb.NewFile(user_id=user_id, filename=filename, **described)
        response = await self.send(messages(new, data, piece))
        file: pb.File = response.file
        return file

    async def create_text(self, title: str, content: str, **described: Any) -> pb.File:
        request = pb.CreateFileFromTextRequest(
            user_id=USER, title=title, content=content, **described
        )
        file: pb.File = (await self.call("CreateFileFromText", request)).file
        return file

    async def download(self, file_id: str) -> list[Any]:
        request = pb.DownloadFileRequest(user_id=USER, file_id=file_id)
        return [body async for body in self.call("DownloadFile", request)]

    async def content(self, file_id: str) -> bytes:
        return b"".join([body.data for body in await self.download(file_id)])

    async def delete(self, file_id: str) -> bool:
        request = pb.DeleteFileRequest(user_id=USER, file_id=file_id)
        return bool((await self.call("DeleteFile", request)).deleted)

    async def files(self, **chosen: Any) -> list[pb.File]:
        request = pb.ListFilesRequest(user_id=USER, **chosen)
        return list((await self.call("ListFiles", request)).files)

    async def fetch(self, statement: str, *arguments: object) -> list[Any]:
        """Rows of the user's, and of the queue, as the service's role sees them."""
        scope = Scope(self.tenant_id, owner_of(self.tenant_id, USER), queue=True)
        async with self.database.transaction(scope) as connection:
            return list(await connection.fetch(statement, *arguments))

    async def count(self, table: str) -> int:
        (row,) = await self.fetch(f"SELECT count(*) AS rows FROM {table}")
        return int(row["rows"])

    def stored(self) -> list[Path]:
        """The objects of the folder storage."""
        folder = self.settings.home / "files" / "objects"
        return sorted(path for path in folder.rglob("*") if path.is_file())

    async def run_jobs(self, entrypoint: str) -> int:
        """Runs the queued jobs of a kind, due or not, by their real handlers; how many."""
        handler = ObjectJobs(self.database, self.objects).handlers()[entrypoint]
        rows = await self.fetch("SELECT payload FROM pgqueuer WHERE entrypoint = $1", entrypoint)
        for row in rows:
            await handler(json.loads(row["payload"]))
        return len(rows)

    async def another_tenant(self) -> "World":
        """The same server, called with another tenant's key."""
        tenant_id, key = await new_tenant(self.database, "other")
        return replace(self, tenant_id=tenant_id, key=key)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The whole worker, until the end of the block."""
        stop = asyncio.Event()
        async with AsyncExitStack() as stack:
            lanes = (await build_worker(self.settings, stack)).background
            task = asyncio.gather(*(lane.run(stop) for lane in lanes))
            try:
                yield
            finally:
                stop.set()
                await asyncio.wait({task}, timeout=3 * PATIENCE)
        task.result()


def messages(new: pb.NewFile, data: bytes, piece: int = MIB) -> Iterator[pb.UploadFileRequest]:
    """The stream of an upload."""
    yield pb.UploadFileRequest(file=new)
    for start in range(0, len(data), piece):
        yield pb.UploadFileRequest(chunk=data[start : start + piece])


@asynccontextmanager
async def files_world(
    test_database: TestDatabase,
    home: Path,
    *,
    objects: ObjectSettings | None = None,
    files: FileSettings | None = None,
    vector: str = "127.0.0.1:9",
) -> AsyncIterator[World]:
    """The target on a database and in a folder of its own. By default no vector service is up."""
    settings = Settings(
        home=home,
        internal_key=INTERNAL_KEY,
        database=database_settings(test_database.service_dsn),
        server=ServerSettings(port=0),
        peers=PeerSettings(vector=vector),
        objects=objects or ObjectSettings(),
        files=files or FileSettings(public_url=PUBLIC_URL),
    )
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(settings.database))
        servicers = await build_files(settings, stack)
        address = await stack.enter_async_context(serving(servicers, settings))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        tenant_id, key = await new_tenant(database)
        yield World(
            settings,
            database,
            await open_objects(settings, stack),
            address,
            tenant_id,
            key,
            FileServiceStub(channel),
        )


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    """How a call fails: its code, the reason and the metadata."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]  # it has both methods
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return caught.value.code(), info.reason, dict(info.metadata)


async def until(met: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Waits for a condition, and fails if it is not met in time."""
    deadline = time.monotonic() + seconds
    while not await met():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.05)
