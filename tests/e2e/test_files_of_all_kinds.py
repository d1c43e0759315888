"""Files through the gateway: every kind, every limit, what is broken, and links without a key."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import asyncpg
import grpc
import httpx
import pytest

from mnema.client import InvalidArgument, Mnema, NotFound
from mnema.v1 import file_service_pb2 as pb
from mnema.v1.file_service_pb2_grpc import FileServiceStub
from services.app.local_stack import LocalStack
from services.files.text.document import MAX_FILE_BYTES
from tests.e2e.gateway import Gateway, Tenant
from tests.e2e.waiting import until
from tests.unit.test_file_text import docx_of, encrypted, image_of, pdf_of, zip_of

pytestmark = pytest.mark.feature("N14")

DOCX_MIME = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
KINDS = [
    ("a.txt", b"Alice booked the flight\nto Lisbon.", "txt", "text/plain"),
    ("a.md", b"# Trip\n\nAlice flies to Lisbon.", "md", "text/markdown"),
    ("a.json", b'{"trip": {"city": "Lisbon"}}', "json", "application/json"),
    ("a.csv", b"city,day\nLisbon,Monday\n", "csv", "text/csv"),
    ("a.pdf", pdf_of("Page one", "Lisbon on page two"), "pdf", "application/pdf"),
    ("a.docx", docx_of(), "docx", DOCX_MIME),
    ("a.png", image_of("PNG"), "image", "image/png"),
]
BOMB = zip_of({"word/document.xml": bytes(300 * 1024 * 1024), "[Content_Types].xml": b"<Types/>"})
REFUSED = [
    ("a.txt", b"", "FILE_EMPTY"),
    ("a.pdf", pdf_of("text")[:200], "FILE_BROKEN"),
    ("a.docx", docx_of()[:500], "FILE_BROKEN"),
    ("a.docx", zip_of({"word/document.xml": b"<broken"}), "FILE_BROKEN"),
    ("a.docx", BOMB, "FILE_TOO_LARGE"),
    ("a.pdf", encrypted(pdf_of("secret"), "password"), "FILE_ENCRYPTED"),
    ("a.pdf", b"just words", "FILE_BROKEN"),
    ("a.png", b"just words", "FILE_BROKEN"),
    ("a.txt", pdf_of("text"), "FILE_BROKEN"),
    ("a.zip", zip_of({"a": b"b"}), "FILE_TYPE_UNSUPPORTED"),
    ("a.json", b"{", "FILE_BROKEN"),
]


@pytest.fixture
def nm(gateway: Gateway, tenant: Tenant) -> Iterator[Mnema]:
    """The Python client, with the key of a tenant that has nothing yet."""
    with Mnema(gateway.address, api_key=tenant.api_key, timeout=60) as client:
        yield client


@pytest.fixture
def left(stack: LocalStack, tenant: Tenant) -> Callable[[], tuple[int, int, int, int]]:
    """How much there is of the tenant's: documents, chunks, search items, stored objects."""

    async def rows() -> list[int]:
        connection = await asyncpg.connect(stack.postgres.access().superuser_dsn)
        try:
            return [
                await connection.fetchval(
                    f"SELECT count(*) FROM {table} JOIN users USING (owner_id)"
                    " WHERE tenant_id = $1",
                    tenant.tenant_id,
                )
                for table in ("documents", "chunks", "search_items")
            ]
        finally:
            await connection.close()

    def counted() -> tuple[int, int, int, int]:
        folder = stack.home / "files" / "objects" / tenant.tenant_id
        objects = sum(path.is_file() for path in folder.rglob("*"))
        documents, chunks, items = asyncio.run(rows())
        return documents, chunks, items, objects

    return counted


@pytest.mark.parametrize(
    ("name", "data", "file_type", "mime_type"), KINDS, ids=[each[2] for each in KINDS]
)
def test_every_kind_is_kept_found_and_deleted(
    nm: Mnema,
    left: Callable[[], tuple[int, ...]],
    name: str,
    data: bytes,
    file_type: str,
    mime_type: str,
) -> None:
    doc = nm.files.upload(
        "alice", name, data, category="travel", tags=["trip"], metadata={"pages": 2}
    )
    assert (doc.filename, doc.file_type, doc.mime_type) == (name, file_type, mime_type)
    assert (doc.category, doc.tags, doc.metadata) == ("travel", ("trip",), {"pages": 2})
    assert nm.files.get("alice", doc.id) == doc
    assert nm.files.download("alice", doc.id) == data
    for chosen in ({"category": "travel"}, {"tags": ["trip"]}, {"file_types": [file_type]}):
        assert nm.files.list("alice", **chosen) == [doc]
    for other in ({"category": "work"}, {"tags": ["trip", "x"]}, {"file_types": ["xml"]}):
        assert nm.files.list("alice", **other) == []
    hits = nm.files.search("alice", query="Lisbon", limit=5)
    if file_type == "image":
        assert hits == []
    else:
        assert (hits[0]["file_id"], hits[0]["filename"]) == (doc.id, name)
        assert "Lisbon" in hits[0]["content"]
        assert hits[0]["page"] == (2 if file_type == "pdf" else None)
        assert (hits[0]["line"] or 0) >= 1
        assert (hits[0]["paragraph"] or 0) >= 1
        assert hits[0]["end_offset"] - hits[0]["start_offset"] == len(hits[0]["content"])
    assert nm.files.delete("alice", doc.id)
    assert not nm.files.delete("alice", doc.id)
    until(left, lambda counts: counts == (0, 0, 0, 0))


def test_a_hit_names_its_page_paragraph_and_line(nm: Mnema) -> None:
    text = "\n\n".join(
        f"Paragraph {n} is about {w}.\nIts second line."
        for n, w in enumerate(("harbours", "mountains", "lighthouses"), 1)
    )
    nm.files.create_from_text("alice", title="Notes", content=text, category="work")
    padding = "\n\n".join("Nothing of note happened on this day. " * 20 for _ in range(3))
    long = f"{padding}\n\nThe lighthouse keeper\nkept bees."
    nm.files.upload("alice", "log.txt", long.encode(), category="log")
    hit = nm.files.search("alice", query="bees", file_types=["txt"], category="log")[0]
    assert hit["filename"] == "log.txt"
    assert "bees" in hit["content"]
    assert long[hit["start_offset"] : hit["end_offset"]] == hit["content"]
    assert hit["line"] == long[: hit["start_offset"]].count("\n") + 1
    assert hit["paragraph"] == long[: hit["start_offset"]].count("\n\n") + 1
    assert nm.files.search("alice", query="harbours", category="work")[0]["paragraph"] == 1


@pytest.mark.parametrize(("name", "data", "reason"), REFUSED)
def test_what_is_refused_leaves_nothing(
    nm: Mnema, left: Callable[[], tuple[int, ...]], name: str, data: bytes, reason: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        nm.files.upload("alice", name, data)
    assert caught.value.reason == reason
    assert left() == (0, 0, 0, 0)


def test_the_largest_file_and_one_byte_more(nm: Mnema, left: Callable[[], tuple[int, ...]]) -> None:
    picture = image_of("BMP").ljust(MAX_FILE_BYTES, b"\0")
    doc = nm.files.upload("alice", "large.bmp", picture)
    assert nm.files.download("alice", doc.id) == picture
    with pytest.raises(InvalidArgument) as caught:
        nm.files.upload("alice", "larger.bmp", picture + b"\0")
    assert caught.value.reason == "FILE_TOO_LARGE"
    assert left() == (1, 0, 0, 1)


def test_two_uploads_of_one_name_at_once_are_two_files(
    nm: Mnema, left: Callable[[], tuple[int, ...]]
) -> None:
    with ThreadPoolExecutor(2) as threads:
        one, two = threads.map(
            lambda data: nm.files.upload("alice", "same.txt", data), (b"first words", b"second")
        )
    assert one.id != two.id
    assert nm.files.download("alice", one.id) == b"first words"
    assert nm.files.download("alice", two.id) == b"second"
    assert left() == (2, 2, 2, 2)


def test_an_upload_that_is_broken_off_leaves_nothing(
    gateway: Gateway, tenant: Tenant, left: Callable[[], tuple[int, ...]]
) -> None:
    sent = threading.Event()

    def stream() -> Iterator[pb.UploadFileRequest]:
        yield pb.UploadFileRequest(file=pb.NewFile(user_id="alice", filename="a.txt"))
        yield pb.UploadFileRequest(chunk=b"half a ")
        sent.set()
        threading.Event().wait(120)

    metadata = (("x-api-key", tenant.api_key),)
    call = FileServiceStub(gateway.channel).UploadFile.future(stream(), metadata=metadata)
    assert sent.wait(60)
    call.cancel()
    with pytest.raises(grpc.FutureCancelledError):
        call.result()
    assert left() == (0, 0, 0, 0)


def test_a_link_gives_the_bytes_over_plain_http(nm: Mnema) -> None:
    page = b"<script>alert(1)</script> Zo\xc3\xab"
    doc = nm.files.upload("alice", "Zoë's page.txt", page, mime_type="text/html")
    url = nm.files.get_presigned_url("alice", doc.id, expires_in=60)
    answer = httpx.get(url, timeout=90)
    assert (answer.status_code, answer.content) == (200, page)
    assert answer.headers["content-type"] == "text/html"
    # A browser keeps it as a file, and never runs it on our origin.
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''Zo%C3%AB%27s%20page.txt"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox"
    large = image_of("BMP").ljust(20 * 1024 * 1024, b"\0")
    big = nm.files.upload("alice", "large.bmp", large)
    assert httpx.get(nm.files.get_presigned_url("alice", big.id), timeout=60).content == large
    with pytest.raises(NotFound):
        nm.files.get_presigned_url("bob", doc.id)
    with pytest.raises(InvalidArgument):
        nm.files.get_presigned_url("alice", doc.id, expires_in=7 * 24 * 3600 + 1)
    nm.files.delete("alice", doc.id)
    assert httpx.get(url, timeout=90).status_code == 404


@pytest.mark.feature("N19")
def test_a_link_that_was_changed_or_has_expired_opens_nothing(nm: Mnema) -> None:
    doc = nm.files.upload("alice", "a.txt", b"words of alice")
    url = nm.files.get_presigned_url("alice", doc.id)
    for place in range(url.index("token=") + 6, len(url)):
        changed = url[:place] + ("A" if url[place] != "A" else "B") + url[place + 1 :]
        answer = httpx.get(changed, timeout=90)
        assert (answer.status_code, b"words" in answer.content) == (403, False), place
        assert _reason(answer) == "DOWNLOAD_LINK_INVALID"
    bare = f"http://{urlsplit(url).netloc}{urlsplit(url).path}"
    assert httpx.get(bare, timeout=90).status_code == 400
    short = nm.files.get_presigned_url("alice", doc.id, expires_in=1)
    answer = until(lambda: httpx.get(short, timeout=90), lambda got: got.status_code != 200)
    assert (answer.status_code, _reason(answer)) == (403, "DOWNLOAD_LINK_EXPIRED")
    assert httpx.get(url, timeout=90).content == b"words of alice"


def _reason(answer: httpx.Response) -> str:
    return str(answer.json()["details"][0]["reason"])
