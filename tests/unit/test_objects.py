"""One suite for every object storage: a folder, and a real S3 server on a port."""

import asyncio
import os
import socket
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr, ValidationError

from services.providers.objects.factory import new_object_storage
from services.providers.objects.folder import ABANDONED_SECONDS, FolderStorage
from services.providers.objects.s3 import S3Storage
from services.providers.objects.settings import ObjectSettings
from services.providers.objects.storage import CHUNK_BYTES, ObjectStorage
from services.runtime.errors import (
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    Unavailable,
)

KEY = "tenant/owner/0198-file.pdf"
BYTES = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def s3_settings(endpoint: str, bucket: str = "mnema-files", **more: object) -> ObjectSettings:
    return ObjectSettings.model_validate(
        {
            "provider": "s3",
            "bucket": bucket,
            "endpoint_url": endpoint,
            "access_key_id": "test",
            "secret_access_key": "secret",
            "addressing_style": "path",
            "create_bucket": True,
            "parallel": 4,
        }
        | more
    )


@pytest.fixture(params=["folder", "s3"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStorage]:
    if request.param == "folder":
        settings = ObjectSettings(folder=tmp_path)
    else:
        settings = s3_settings(request.getfixturevalue("s3_endpoint"))
    opened = new_object_storage(settings)
    await opened.init()
    yield opened
    await opened.delete(KEY)
    await opened.close()


async def streamed(storage: ObjectStorage, key: str) -> list[bytes]:
    return [piece async for piece in storage.stream(key)]


async def test_what_is_uploaded_comes_back(storage: ObjectStorage) -> None:
    await storage.upload(KEY, BYTES, "application/pdf")

    assert await storage.exists(KEY)
    assert await storage.download(KEY) == BYTES
    assert b"".join(await streamed(storage, KEY)) == BYTES


async def test_large_objects_are_streamed_in_pieces(storage: ObjectStorage) -> None:
    data = BYTES * 100
    await storage.upload(KEY, data)

    pieces = await streamed(storage, KEY)

    assert b"".join(pieces) == data
    assert len(pieces) > 1
    assert all(len(piece) == CHUNK_BYTES for piece in pieces[:-1])


async def test_a_stream_may_be_left_early(storage: ObjectStorage) -> None:
    await storage.upload(KEY, BYTES * 100)

    for _ in range(10):  # more often than there are threads and connections
        async for piece in storage.stream(KEY):
            assert piece == (BYTES * 100)[:CHUNK_BYTES]
            break

    assert await storage.download(KEY) == BYTES * 100


async def test_an_empty_object_is_an_object(storage: ObjectStorage) -> None:
    await storage.upload(KEY, b"")

    assert await storage.exists(KEY)
    assert await storage.download(KEY) == b""
    assert await streamed(storage, KEY) == []


async def test_an_upload_replaces_what_was_there(storage: ObjectStorage) -> None:
    await storage.upload(KEY, BYTES)
    await storage.upload(KEY, b"newer")

    assert await storage.download(KEY) == b"newer"


async def test_deleting_is_idempotent(storage: ObjectStorage) -> None:
    await storage.upload(KEY, BYTES)

    await storage.delete(KEY)
    await storage.delete(KEY)

    assert not await storage.exists(KEY)


async def test_a_missing_object_is_not_found(storage: ObjectStorage) -> None:
    with pytest.raises(NotFound) as raised:
        await storage.download("tenant/nothing")
    with pytest.raises(NotFound):
        await streamed(storage, "tenant/nothing")

    assert raised.value.resource_name == "tenant/nothing"
    assert not await storage.exists("tenant/nothing")


async def test_a_key_may_be_the_head_of_another(storage: ObjectStorage) -> None:
    keys = ["head", "head/tail", "head/tail/end"]
    for key in keys:
        await storage.upload(key, key.encode())

    assert [await storage.download(key) for key in keys] == [key.encode() for key in keys]
    await storage.delete("head")
    assert await storage.exists("head/tail")


IMPROPER_KEYS = [
    "",
    "/etc/passwd",
    "../up",
    "a/../../up",
    "a/..",
    ".",
    "a//b",
    "a/",
    "a\x00b",
    "a\\b",
    "ä",
    "a b",
    "a~",
    "~temporary/x",
    "a\n",
]


@pytest.mark.parametrize("key", [*IMPROPER_KEYS, "x" * 201, "a/" * 300 + "a"])
async def test_improper_keys_are_refused(storage: ObjectStorage, key: str) -> None:
    with pytest.raises(InvalidArgument):
        await storage.upload(key, BYTES)
    with pytest.raises(InvalidArgument):
        await storage.download(key)
    with pytest.raises(InvalidArgument):
        await streamed(storage, key)
    with pytest.raises(InvalidArgument):
        await storage.delete(key)
    with pytest.raises(InvalidArgument):
        await storage.exists(key)
    with pytest.raises(InvalidArgument):
        await storage.get_presigned_url(key)


@pytest.mark.parametrize("key", ["a", "...", "a/.hidden", "u@x.org/f=1/-_.", "x" * 200])
async def test_proper_keys_are_taken(storage: ObjectStorage, key: str) -> None:
    await storage.upload(key, BYTES)

    assert await storage.download(key) == BYTES


async def test_writers_of_one_key_leave_one_whole_object(storage: ObjectStorage) -> None:
    written = [bytes([number]) * 300_000 for number in range(8)]

    await asyncio.gather(*(storage.upload(KEY, data) for data in written))

    assert await storage.download(KEY) in written


async def test_the_life_of_a_url_is_limited(storage: ObjectStorage) -> None:
    for seconds in (0, -1, 7 * 24 * 3600 + 1):
        with pytest.raises(InvalidArgument):
            await storage.get_presigned_url(KEY, seconds)


async def test_a_folder_has_no_urls(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition) as raised:
        await FolderStorage(tmp_path).get_presigned_url(KEY)

    assert raised.value.reason == "NOT_SUPPORTED"


async def test_a_folder_keeps_nothing_unfinished_and_nothing_public(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "made")
    await storage.init()
    await storage.upload(KEY, BYTES)

    found = await asyncio.to_thread(lambda: list(tmp_path.rglob("*")))
    files = [path for path in found if path.is_file()]
    assert [path.name for path in files] == ["0198-file.pdf~"]
    assert (tmp_path / "made" / "objects").stat().st_mode & 0o077 == 0


async def test_a_deletion_takes_what_a_killed_write_left(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    await storage.init()
    script = (
        "import asyncio, os, sys; from pathlib import Path;"
        "from services.providers.objects.folder import FolderStorage;"
        "os.fsync = lambda _: os.kill(os.getpid(), 9);"  # killed with the bytes half-way
        f"asyncio.run(FolderStorage(Path({str(tmp_path)!r})).upload({KEY!r}, b'words'))"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    assert await child.wait() == -9
    (left,) = (tmp_path / "~temporary").iterdir()
    await storage.delete(KEY)
    assert left.exists()  # it may still be written: it is too young to tell
    long_ago = time.time() - ABANDONED_SECONDS - 1
    os.utime(left, (long_ago, long_ago))
    await storage.delete(f"{KEY}2")
    assert left.exists()
    await storage.delete(KEY)
    assert not left.exists()


async def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(Internal):
        await FolderStorage(tmp_path / "file" / "folder").init()


async def test_a_presigned_url_serves_the_object(s3_endpoint: str) -> None:
    storage = new_object_storage(s3_settings(s3_endpoint))
    await storage.init()
    await storage.upload(KEY, BYTES, "application/pdf")

    url = await storage.get_presigned_url(KEY, 60)

    assert "X-Amz-Expires=60" in url
    assert "secret" not in url
    with await asyncio.to_thread(urllib.request.urlopen, url, timeout=60) as answer:
        assert answer.read() == BYTES
        assert answer.headers["Content-Type"] == "application/pdf"
    await storage.close()


async def test_damaged_bytes_are_noticed(s3_endpoint: str) -> None:
    storage = S3Storage(s3_settings(s3_endpoint))
    await storage.init()
    # What a failing disk does, seen from here: other bytes under the old digest.
    storage._client.put_object(
        Bucket="mnema-files", Key=KEY, Body=b"rotten", Metadata={"sha256": "0" * 64}
    )

    with pytest.raises(Internal, match="damaged"):
        await storage.download(KEY)
    await storage.close()


async def test_a_prefix_parts_two_installations(s3_endpoint: str) -> None:
    ours = new_object_storage(s3_settings(s3_endpoint, prefix="ours/"))
    theirs = new_object_storage(s3_settings(s3_endpoint, prefix="theirs/"))
    await ours.init()
    await ours.upload("same", b"ours")

    assert not await theirs.exists("same")
    assert await ours.download("same") == b"ours"
    await ours.close()
    await theirs.close()


async def test_a_missing_bucket_is_refused_unless_it_may_be_made(s3_endpoint: str) -> None:
    strict = new_object_storage(s3_settings(s3_endpoint, "not-there", create_bucket=False))
    with pytest.raises(Internal):
        await strict.init()
    with pytest.raises(Internal, match="NoSuchBucket"):
        await strict.download(KEY)
    await strict.close()

    making = new_object_storage(s3_settings(s3_endpoint, "made-now", region="eu-west-1"))
    await making.init()
    await making.upload(KEY, BYTES)
    assert await making.exists(KEY)
    await making.close()


async def test_a_server_that_is_down_is_unavailable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    storage = new_object_storage(s3_settings(address, connect_timeout=0.5, read_timeout=0.5))

    with pytest.raises(Unavailable) as raised:
        await storage.download(KEY)

    assert raised.value.retry_after
    await storage.close()


async def test_a_server_that_never_answers_is_unavailable_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        storage = new_object_storage(s3_settings(address, read_timeout=0.2))

        async with asyncio.timeout(60):
            with pytest.raises(Unavailable):
                await storage.exists(KEY)
        await storage.close()


class NoStorage:
    """What a careless user of the import path might name."""

    def __init__(self, settings: ObjectSettings) -> None:
        self.settings = settings


def test_a_class_of_ones_own_is_imported(tmp_path: Path) -> None:
    path = "services.providers.objects.s3:S3Storage"

    made = new_object_storage(
        ObjectSettings(
            provider=path, bucket="b", access_key_id="k", secret_access_key=SecretStr("s")
        )
    )

    assert isinstance(made, S3Storage)


@pytest.mark.parametrize(
    "provider", ["folder", "ftp", "no.such.module:X", "json:Missing", f"{__name__}:NoStorage"]
)
def test_providers_that_cannot_be_had_are_refused(provider: str) -> None:
    with pytest.raises((ValueError, FailedPrecondition), match="provider"):
        new_object_storage(ObjectSettings(provider=provider))


@pytest.mark.parametrize(
    "settings",
    [
        {"provider": "s3"},
        {"access_key_id": "alone"},
        {"secret_access_key": "alone"},
        {"prefix": "no-slash"},
        {"parallel": 0},
        {"unknown": 1},
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ObjectSettings.model_validate(settings)


def test_the_secret_is_not_shown() -> None:
    assert "hidden-one" not in repr(
        ObjectSettings(access_key_id="k", secret_access_key=SecretStr("hidden-one"))
    )
