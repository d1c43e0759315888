"""Files: taken in, described, listed, given back, deleted; and what is refused."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from mnema.v1 import file_service_pb2 as pb
from services.files.limits import FileSettings
from services.files.text.document import MAX_FILE_BYTES
from services.files.upload import UploadStream
from services.runtime.ids import owner_of
from services.runtime.scope import Scope
from services.storage import accounts, jobs
from tests.conftest import TestDatabase
from tests.patience import PATIENCE
from tests.service.files_world import MIB, USER, World, files_world, messages, refused
from tests.unit.test_file_text import docx_of, encrypted, image_of, pdf_of, zip_of

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
DOCX_MIME = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
KINDS = [
    ("a.txt", b"Alice booked the flight to Lisbon.", "txt", "text/plain", "Lisbon"),
    ("a.md", b"# Trip\n\nAlice flies to Lisbon.", "md", "text/markdown", "Lisbon"),
    ("a.json", b'{"trip": {"city": "Lisbon"}}', "json", "application/json", "Lisbon"),
    ("a.csv", b"city,day\nLisbon,Monday\n", "csv", "text/csv", "Lisbon"),
    ("a.pdf", pdf_of("Page one", "Lisbon on page two"), "pdf", "application/pdf", "Lisbon"),
    ("a.docx", docx_of(), "docx", DOCX_MIME, "Lisbon"),
]


@pytest.fixture
async def world(test_database: TestDatabase, tmp_path: Path) -> AsyncIterator[World]:
    async with files_world(test_database, tmp_path) as made:
        yield made


@pytest.mark.parametrize(("name", "data", "file_type", "mime_type", "word"), KINDS)
async def test_every_type_is_taken_in_and_given_back(
    world: World, name: str, data: bytes, file_type: str, mime_type: str, word: str
) -> None:
    metadata = Struct()
    metadata.update({"pages": 3, "by": {"name": "Zoë"}})
    file = await world.upload(
        name, data, piece=1000, category="travel", tags=["trip", "2026"], metadata=metadata
    )
    assert (file.filename, file.file_type, file.mime_type) == (name, file_type, mime_type)
    assert (file.size_bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (file.user_id, file.category, list(file.tags)) == (USER, "travel", ["trip", "2026"])
    assert (file.metadata, file.source_type) == (metadata, "upload")
    assert await world.content(file.file_id) == data
    got = await world.call("GetFile", pb.GetFileRequest(user_id=USER, file_id=file.file_id))
    assert got.file == file
    chunks = await world.fetch("SELECT * FROM chunks ORDER BY position")
    assert len(chunks) == file.chunk_count > 0
    assert any(word in chunk["content"] for chunk in chunks)
    assert {chunk["page"] for chunk in chunks} == ({1, 2} if file_type == "pdf" else {0})
    items = await world.fetch("SELECT item_id, kind, event_at, length FROM search_items")
    assert {item["item_id"] for item in items} == {chunk["chunk_id"] for chunk in chunks}
    assert {(item["kind"], item["event_at"]) for item in items} == {("chunk", None)}
    found = await world.fetch("SELECT term FROM postings WHERE term = 'lisbon'")
    assert len(found) >= 1
    queued = await world.fetch("SELECT entrypoint FROM pgqueuer ORDER BY 1")
    assert [row["entrypoint"] for row in queued] == [jobs.EMBED, jobs.SWEEP_OBJECT]


@pytest.mark.parametrize(
    ("name", "data", "file_type"),
    [("a.png", image_of("PNG"), "image"), ("scan.pdf", pdf_of("", ""), "pdf")],
)
async def test_what_has_no_text_is_kept(
    world: World, name: str, data: bytes, file_type: str
) -> None:
    file = await world.upload(name, data)
    assert (file.file_type, file.chunk_count) == (file_type, 0)
    assert await world.content(file.file_id) == data
    assert await world.count("search_items") == 0


async def test_defaults_and_a_media_type_of_the_callers(world: World) -> None:
    plain = await world.upload("notes", b"some words")
    assert (plain.category, plain.mime_type, plain.file_type) == ("general", "text/plain", "txt")
    assert (list(plain.tags), plain.HasField("metadata")) == ([], False)
    declared = await world.upload("notes", b"# words", mime_type="text/markdown; charset=utf-8")
    assert (declared.file_type, declared.mime_type) == ("md", "text/markdown; charset=utf-8")
    (body,) = await world.download(declared.file_id)
    assert body.content_type == "text/markdown; charset=utf-8"
    wrong = pb.NewFile(user_id=USER, filename="notes", mime_type="nonsense")
    code, reason, _ = await refused(world.send(messages(wrong, b"x")))
    assert (code, reason) == (INVALID, "FIELD_MALFORMED")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.txt", b"", "FILE_EMPTY"),
        ("a.pdf", pdf_of("text")[:200], "FILE_BROKEN"),
        ("a.pdf", b"just words", "FILE_BROKEN"),
        ("a.docx", zip_of({"word/document.xml": b"<broken"}), "FILE_BROKEN"),
        ("a.docx", docx_of()[:500], "FILE_BROKEN"),
        ("a.pdf", encrypted(pdf_of("secret"), "password"), "FILE_ENCRYPTED"),
        ("a.zip", zip_of({"a": b"b"}), "FILE_TYPE_UNSUPPORTED"),
        ("a.bin", bytes(range(256)) * 4, "FILE_TYPE_UNSUPPORTED"),
    ],
)
async def test_what_is_refused_leaves_nothing(
    world: World, name: str, data: bytes, reason: str
) -> None:
    new = pb.NewFile(user_id=USER, filename=name)
    create = pb.CreateFileRequest(user_id=USER, filename=name, file_data=data)
    for refusal in (
        await refused(world.send(messages(new, data))),
        await refused(world.call("CreateFile", create)),
    ):
        assert refusal[:2] == (INVALID, reason)
    assert world.stored() == []
    assert [await world.count(table) for table in ("documents", "chunks", "pgqueuer")] == [0, 0, 0]


async def test_the_largest_file_and_one_byte_more(world: World) -> None:
    picture = image_of("BMP").ljust(MAX_FILE_BYTES, b"\0")
    file = await world.upload("large.bmp", picture)
    assert file.size_bytes == MAX_FILE_BYTES
    bodies = await world.download(file.file_id)
    assert b"".join(body.data for body in bodies) == picture
    assert max(len(body.data) for body in bodies) == 256 * 1024
    new = pb.NewFile(user_id=USER, filename="larger.bmp")
    refusal = await refused(world.send(messages(new, picture + b"\0")))
    assert refusal[:2] == (INVALID, "FILE_TOO_LARGE")
    assert refusal[2]["limit"] == str(MAX_FILE_BYTES)
    assert len(world.stored()) == 1


async def test_a_stream_without_end_is_cut_off(world: World) -> None:
    sent = 0

    async def endless() -> AsyncIterator[pb.UploadFileRequest]:
        nonlocal sent
        yield pb.UploadFileRequest(file=pb.NewFile(user_id=USER, filename="endless.txt"))
        while True:
            sent += MIB
            yield pb.UploadFileRequest(chunk=b"x" * MIB)

    refusal = await refused(world.send(endless()))
    assert refusal[:2] == (INVALID, "FILE_TOO_LARGE")
    assert sent < 2 * MAX_FILE_BYTES


async def test_the_largest_message_and_one_byte_more(world: World) -> None:
    picture = image_of("BMP").ljust(8 * MIB, b"\0")
    request = pb.CreateFileRequest(user_id=USER, filename="large.bmp", file_data=picture)
    file = (await world.call("CreateFile", request)).file
    assert await world.content(file.file_id) == picture
    request.file_data += b"\0"
    assert (await refused(world.call("CreateFile", request)))[:2] == (INVALID, "FIELD_TOO_LONG")


NEW = pb.UploadFileRequest(file=pb.NewFile(user_id=USER, filename="a.txt"))
PIECE = pb.UploadFileRequest(chunk=b"words")


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        ([], "FIELD_REQUIRED"),
        ([PIECE], "FIELD_REQUIRED"),
        ([PIECE, NEW], "FIELD_REQUIRED"),
        ([NEW, PIECE, NEW], "INVALID_FIELD"),
        ([NEW, pb.UploadFileRequest()], "FIELD_REQUIRED"),
        ([NEW, pb.UploadFileRequest(chunk=b"x" * (MIB + 1))], "FIELD_TOO_LONG"),
        ([pb.UploadFileRequest(file=pb.NewFile(user_id=USER))], "FIELD_REQUIRED"),
    ],
)
async def test_messages_in_another_order_are_refused(
    world: World, stream: list[pb.UploadFileRequest], reason: str
) -> None:
    assert (await refused(world.send(iter(stream))))[:2] == (INVALID, reason)
    assert world.stored() == []


@pytest.mark.parametrize(("said", "reason"), [(4, "FIELD_OUT_OF_RANGE"), (2, "FIELD_OUT_OF_RANGE")])
async def test_an_upload_that_ends_early_leaves_no_half_a_file(
    world: World, said: int, reason: str
) -> None:
    new = pb.NewFile(user_id=USER, filename="a.txt", size_bytes=said)
    stream = messages(new, b"abc")
    assert (await refused(world.send(stream)))[:2] == (INVALID, reason)
    huge = pb.NewFile(user_id=USER, filename="a.txt", size_bytes=MAX_FILE_BYTES + 1)
    failure = await refused(world.send(messages(huge, b"abc")))
    assert failure[:2] == (INVALID, "FILE_TOO_LARGE")
    assert world.stored() == []
    assert await world.count("documents") == 0
    exact = pb.NewFile(user_id=USER, filename="a.txt", size_bytes=3)
    file = (await world.call("UploadFile", messages(exact, b"abc"))).file
    assert await world.content(file.file_id) == b"abc"


async def test_text_becomes_a_file_without_bytes(world: World) -> None:
    text = "Zoë plans a trip to Łódź. " * 20_000
    file = await world.create_text("Plans: 2027/01", text, tags=["plan"])
    assert (file.filename, file.file_type, file.source_type) == ("Plans: 2027/01", "txt", "text")
    assert (file.mime_type, file.size_bytes) == ("text/plain", len(text.encode()))
    assert file.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert world.stored() == []
    bodies = await world.download(file.file_id)
    assert b"".join(body.data for body in bodies).decode() == text
    assert [body.content_type for body in bodies] == ["text/plain; charset=utf-8", "", ""]
    (chunk,) = await world.fetch("SELECT * FROM chunks WHERE position = 3")
    assert text[chunk["start_offset"] : chunk["end_offset"]] == chunk["content"]
    assert await world.count("chunks") == file.chunk_count > 100
    assert await world.delete(file.file_id)
    assert await world.count("chunks") == 0


async def test_two_files_may_have_one_name(world: World) -> None:
    one, two = await asyncio.gather(
        world.upload("../../etc/passwd", b"first"), world.upload("../../etc/passwd", b"second")
    )
    assert one.file_id != two.file_id
    assert await world.content(one.file_id) == b"first"
    assert await world.content(two.file_id) == b"second"
    owner_id = owner_of(world.tenant_id, USER)
    folder = world.settings.home / "files" / "objects" / str(world.tenant_id) / str(owner_id)
    assert {path.parent for path in world.stored()} == {folder}


async def test_a_request_is_answered_once(world: World) -> None:
    request_id, pdf = str(uuid4()), pdf_of("Lisbon")
    many = await asyncio.gather(
        *[world.upload("a.pdf", pdf, request_id=request_id) for _ in range(4)]
    )
    again = await world.upload("a.pdf", pdf, piece=7, request_id=request_id)
    assert all(file == again for file in many)
    assert (await world.count("documents"), len(world.stored())) == (1, 1)
    for name, data in (("a.pdf", pdf_of("Porto")), ("b.pdf", pdf)):
        new = pb.NewFile(user_id=USER, filename=name, request_id=request_id)
        code, reason, _ = await refused(world.send(messages(new, data)))
        assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert (await world.count("documents"), len(world.stored())) == (1, 1)


async def test_texts_and_single_messages_are_answered_once_too(world: World) -> None:
    request_id = str(uuid4())
    create = pb.CreateFileRequest(
        user_id=USER, filename="a.txt", file_data=b"words", request_id=request_id
    )
    answers = [await world.call("CreateFile", create) for _ in range(2)]
    assert answers[0] == answers[1]
    refusal = refused(world.create_text("a.txt", "words", request_id=request_id))
    assert (await refusal)[1] == "REQUEST_ID_REUSED"
    same = str(uuid4())
    many = await asyncio.gather(*[world.create_text("t", "w", request_id=same) for _ in range(3)])
    assert len({file.file_id for file in many}) == 1
    assert await world.count("documents") == 2


async def test_lists_are_filtered_and_paged_the_newest_first(world: World) -> None:
    made = [
        await world.create_text(f"text {number}", "words", category="a" if number % 2 else "b")
        for number in range(5)
    ]
    picture = await world.upload("p.png", image_of("PNG"), category="a", tags=["x", "y"])
    await world.upload("q.txt", b"words", tags=["x"])
    names = [file.filename for file in await world.files()]
    assert names == ["q.txt", "p.png", "text 4", "text 3", "text 2", "text 1", "text 0"]
    assert await world.files(tags=["y", "x"]) == [picture]
    assert len(await world.files(tags=["x"])) == 2
    assert await world.files(file_types=["pdf", ".IMAGE"]) == [picture]
    in_a = await world.files(category="a")
    assert [file.filename for file in in_a] == ["p.png", "text 3", "text 1"]
    assert await world.files(category="a", tags=["z"]) == []
    seen: list[pb.File] = []
    request = pb.ListFilesRequest(user_id=USER, file_types=["txt"], page_size=2)
    while True:
        page = await world.call("ListFiles", request)
        assert len(page.files) <= 2
        seen += page.files
        if not page.next_page_token:
            break
        await world.create_text("newer", "comes between the pages and shifts none")
        request.page_token = page.next_page_token
    assert [file.filename for file in seen[1:]] == [f"text {n}" for n in (4, 3, 2, 1, 0)]
    assert seen[1:] == made[::-1]
    request.category = "a"
    assert (await refused(world.call("ListFiles", request)))[1] == "PAGE_TOKEN_INVALID"


async def test_another_tenant_and_another_user_reach_nothing(world: World) -> None:
    file = await world.upload("a.txt", b"words of alice")
    other = await world.another_tenant()
    assert await other.files() == []
    assert not await other.delete(file.file_id)
    get = pb.GetFileRequest(user_id=USER, file_id=file.file_id)
    assert (await refused(other.call("GetFile", get)))[0] == NOT_FOUND
    assert (await refused(other.download(file.file_id)))[0] == NOT_FOUND
    get.user_id = "bob"
    assert (await refused(world.call("GetFile", get)))[0] == NOT_FOUND
    async with world.database.transaction(Scope(admin=True)) as connection:
        new = accounts.NewKey("user", world.tenant_id, "bob", name="bob's")
        _, bobs = await accounts.create_key(connection, new)
    requests: dict[str, Any] = {
        "UploadFile": messages(pb.NewFile(user_id=USER, filename="a.txt"), b"x"),
        "CreateFile": pb.CreateFileRequest(user_id=USER, filename="a.txt", file_data=b"x"),
        "CreateFileFromText": pb.CreateFileFromTextRequest(user_id=USER, title="t", content="x"),
        "GetFile": pb.GetFileRequest(user_id=USER, file_id=file.file_id),
        "ListFiles": pb.ListFilesRequest(user_id=USER),
        "DeleteFile": pb.DeleteFileRequest(user_id=USER, file_id=file.file_id),
        "SearchFiles": pb.SearchFilesRequest(user_id=USER, query="words"),
    }
    for method, request in requests.items():
        refusal = await refused(world.call(method, request, metadata=[("x-api-key", bobs)]))
        assert refusal[:2] == (grpc.StatusCode.PERMISSION_DENIED, "USER_NOT_ALLOWED"), method
    assert [each.file_id for each in await world.files()] == [file.file_id]


SMALL = pb.CreateFileRequest(user_id=USER, filename="b.txt", file_data=b"words")


async def stuck() -> AsyncIterator[pb.UploadFileRequest]:
    yield NEW
    yield PIECE
    await asyncio.sleep(600)


@pytest.fixture
def has_turn(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once an upload is among those that are in memory."""
    event = asyncio.Event()

    class Noted(UploadStream):
        async def content(self, new: pb.NewFile) -> bytes:
            event.set()
            return await super().content(new)

    monkeypatch.setattr("services.files.servicer.UploadStream", Noted)
    return event


async def test_an_upload_that_is_given_up_leaves_nothing(
    test_database: TestDatabase, tmp_path: Path, has_turn: asyncio.Event
) -> None:
    limits = FileSettings(uploads_at_once=1, turn_seconds=PATIENCE)
    async with files_world(test_database, tmp_path, files=limits) as world:
        call = world.call("UploadFile", stuck())
        await has_turn.wait()
        call.cancel()
        file = await world.upload("b.txt", b"words")  # its turn is free again
        assert await world.files() == [file]
        assert len(world.stored()) == 1


async def test_files_in_memory_are_few(
    test_database: TestDatabase, tmp_path: Path, has_turn: asyncio.Event
) -> None:
    limits = FileSettings(uploads_at_once=1, turn_seconds=0.2, piece_seconds=600)
    async with files_world(test_database, tmp_path, files=limits) as world:
        call = world.call("UploadFile", stuck())
        await has_turn.wait()
        refusal = await refused(world.call("CreateFile", SMALL))
        assert refusal[:2] == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")
        call.cancel()


async def test_an_upload_that_sends_nothing_is_ended(
    test_database: TestDatabase, tmp_path: Path
) -> None:
    limits = FileSettings(uploads_at_once=1, turn_seconds=PATIENCE, piece_seconds=0.5)
    async with files_world(test_database, tmp_path, files=limits) as world:
        refusal = await refused(world.call("UploadFile", stuck()))
        assert refusal[:2] == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        assert (await world.call("CreateFile", SMALL)).file.chunk_count == 1
