"""Files through both clients: streams up and down, and what happens when they break."""

import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api import httpbody_pb2

from mnema.client import AsyncMnema, InvalidArgument, Mnema, NotFound, Unavailable
from mnema.v1 import file_service_pb2
from tests.patience import PATIENCE
from tests.service.client_script import Failure, Script, scripted
from tests.service.client_sides import Side

CODE = grpc.StatusCode
CONTENT = bytes(range(256)) * 4000  # a megabyte: four pieces
UPLOADED = file_service_pb2.UploadFileResponse(
    file=file_service_pb2.File(file_id="f1", filename="r.pdf", size_bytes=len(CONTENT))
)
DOWN = Failure(CODE.UNAVAILABLE, "down")
PIECES = [
    httpbody_pb2.HttpBody(data=CONTENT[at : at + 300_000]) for at in range(0, 1024000, 300_000)
]


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with scripted() as running:
        yield running


@pytest.fixture(params=[AsyncMnema, Mnema])
async def side(request: pytest.FixtureRequest, script: Script) -> AsyncIterator[Side]:
    side = Side(request.param(script.address, timeout=PATIENCE))
    yield side
    await side.run(side.nm.close)


class Unseekable(io.BytesIO):
    """A stream that is read once, as a socket's."""

    def seekable(self) -> bool:
        return False


class Breaking(io.BytesIO):
    """A disk that fails after the first piece."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError("the disk is gone")
        return super().read(size)


def _sent(requests: list[Any]) -> bytes:
    assert requests[0].WhichOneof("part") == "file"
    assert all(each.WhichOneof("part") == "chunk" for each in requests[1:])
    assert all(len(each.chunk) <= 1024 * 1024 for each in requests[1:])
    return b"".join(each.chunk for each in requests[1:])


@pytest.mark.parametrize("source", ["bytes", "path", "text path", "file", "unseekable"])
async def test_uploads_what_it_is_given(
    side: Side, script: Script, tmp_path: Path, source: str
) -> None:
    path = tmp_path / "r.pdf"
    path.write_bytes(CONTENT)
    script.on("UploadFile", UPLOADED)
    given = {
        "bytes": CONTENT,
        "path": path,
        "text path": str(path),
        "file": io.BytesIO(CONTENT),
        "unseekable": Unseekable(CONTENT),
    }[source]
    doc = await side.run(
        side.nm.files.upload,
        "alice",
        filename="r.pdf",
        file_data=given,
        category="work",
        tags=["quarterly"],
        metadata={"pages": 3},
    )
    assert (doc.id, doc.size_bytes) == ("f1", len(CONTENT))
    requests = script.of("UploadFile")[0].requests
    assert _sent(requests) == CONTENT
    file = requests[0].file
    assert (file.user_id, file.filename, file.category) == ("alice", "r.pdf", "work")
    assert (list(file.tags), file.metadata["pages"]) == (["quarterly"], 3)


async def test_an_upload_is_repeated_whole_under_one_request_id(side: Side, script: Script) -> None:
    script.on("UploadFile", DOWN, UPLOADED)
    reader = io.BytesIO(b"skipped" + CONTENT)
    reader.seek(7)
    await side.run(side.nm.files.upload, "alice", "r.pdf", reader)
    first, second = script.of("UploadFile")
    assert first.request.file.request_id == second.request.file.request_id != ""
    assert _sent(second.requests) == CONTENT
    assert not reader.closed, "the caller's file stays open"


async def test_a_stream_that_cant_be_read_again_is_sent_once(side: Side, script: Script) -> None:
    script.on("UploadFile", DOWN)
    with pytest.raises(Unavailable):
        await side.run(side.nm.files.upload, "alice", "r.pdf", Unseekable(CONTENT))
    assert len(script.of("UploadFile")) == 1


async def test_a_refused_upload_says_why(side: Side, script: Script) -> None:
    failure = Failure(CODE.INVALID_ARGUMENT, "too large", "FILE_TOO_LARGE", {"limit": "5"})
    script.on("UploadFile", failure)
    with pytest.raises(InvalidArgument) as raised:
        await side.run(side.nm.files.upload, "alice", "r.pdf", CONTENT * 8)
    assert (raised.value.reason, raised.value.metadata) == ("FILE_TOO_LARGE", {"limit": "5"})


async def test_a_source_that_breaks_raises_its_own_error(
    side: Side, script: Script, tmp_path: Path
) -> None:
    script.on("UploadFile", _checked)
    with pytest.raises(OSError, match="the disk is gone"):
        await side.run(side.nm.files.upload, "alice", "r.pdf", Breaking(CONTENT))
    with pytest.raises(FileNotFoundError):
        await side.run(side.nm.files.upload, "alice", "r.pdf", tmp_path / "none.pdf")
    for call in script.of("UploadFile"):
        assert call.requests[-1].WhichOneof("part") == "file", "a server must refuse this"
    with pytest.raises(TypeError, match="binary"):
        await side.run(side.nm.files.upload, "alice", "r.txt", io.StringIO("text"))


def _checked(requests: list[Any]) -> Any:
    """As the contract has it: the description comes first, and only there."""
    descriptions = [each for each in requests if each.WhichOneof("part") == "file"]
    if len(descriptions) > 1:
        return Failure(CODE.INVALID_ARGUMENT, "a second description", "INVALID_FIELD")
    return UPLOADED


async def test_a_link_is_asked_for_in_seconds(side: Side, script: Script) -> None:
    made = file_service_pb2.GetDownloadUrlResponse(url="https://example.com/v1/files:download?t")
    script.on("GetDownloadUrl", made, made)
    url = await side.run(side.nm.files.get_presigned_url, "alice", "f1", expires_in=600)
    assert url == made.url
    await side.run(side.nm.files.get_presigned_url, user_id="alice", file_id="f1")
    first, second = (each.request for each in script.of("GetDownloadUrl"))
    assert (first.user_id, first.file_id, first.expires_in.ToSeconds()) == ("alice", "f1", 600)
    assert second.expires_in.ToSeconds() == 3600


async def test_downloads_whole_in_pieces_and_to_a_path(
    side: Side, script: Script, tmp_path: Path
) -> None:
    script.on("DownloadFile", PIECES)
    assert await side.run(side.nm.files.download, "alice", "f1") == CONTENT
    pieces = await side.drain(side.nm.files.iter_download("alice", "f1"))
    assert b"".join(pieces) == CONTENT
    assert len(pieces) == len(PIECES)
    path = await side.run(side.nm.files.download_to, "alice", "f1", tmp_path / "copy.bin")
    assert path == tmp_path / "copy.bin"
    assert path.read_bytes() == CONTENT
    assert await side.drain(side.nm.files.iter_download("alice", "f1"), limit=1) == pieces[:1]


async def test_a_download_is_repeated_until_something_came(side: Side, script: Script) -> None:
    script.on("DownloadFile", DOWN, PIECES)
    assert await side.run(side.nm.files.download, "alice", "f1") == CONTENT
    script.on("DownloadFile", Failure(CODE.NOT_FOUND, reason="RESOURCE_NOT_FOUND"))
    with pytest.raises(NotFound):
        await side.run(side.nm.files.download, "alice", "f2")


async def test_a_download_that_breaks_leaves_nothing(
    side: Side, script: Script, tmp_path: Path
) -> None:
    script.on("DownloadFile", [*PIECES[:2], DOWN])
    old = tmp_path / "copy.bin"
    old.write_bytes(b"old")
    with pytest.raises(Unavailable):
        await side.run(side.nm.files.download_to, "alice", "f1", old)
    assert old.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["copy.bin"]  # noqa: PTH208 - no pathlib in async functions
    assert len(script.of("DownloadFile")) == 1
