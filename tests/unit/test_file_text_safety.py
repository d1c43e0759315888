"""A hostile file costs its own process, never the service."""

import asyncio
import contextlib
import io
import os
import zlib

import psutil
import pytest
from reportlab.pdfgen import canvas

from services.files.text.document import ExtractedText, FileType
from services.files.text.errors import FileBroken, FileEmpty, FileRejected
from services.files.text.extraction import extract_text
from services.files.text.safety import SafeExtraction
from tests.patience import PATIENCE


def pdf_of(text: str) -> bytes:
    written = io.BytesIO()
    sheet = canvas.Canvas(written)
    sheet.drawString(72, 700, text)
    sheet.save()
    return written.getvalue()


def endless_pdf() -> bytes:
    """A page whose drawing program, small when packed, takes minutes to follow."""
    program = zlib.compress(b"BT /F1 9 Tf " + b"(a) Tj 1 0 0 1 9 9 Tm " * 2_000_000 + b"ET", 9)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/MediaBox[0 0 9 9]/Resources<</Font<</F1"
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n" % len(program) + program + b"\nendstream",
    ]
    body = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj" % number + content + b"endobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        body + b"xref\n0 5\n0000000000 65535 f \n" + table
        + b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)
    )  # fmt: skip


def readers() -> list[psutil.Process]:
    """The children that are reading a file now."""
    found = []
    for child in psutil.Process(os.getpid()).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended while we looked
            if "services.files.text.child" in child.cmdline():
                found.append(child)
    return found


async def reading(count: int) -> list[psutil.Process]:
    """The children that are reading, once they are so many."""
    async with asyncio.timeout(PATIENCE):
        while len(found := readers()) != count:  # noqa: ASYNC110 - processes, not events
            await asyncio.sleep(0.02)
    return found


def begun(extraction: SafeExtraction) -> asyncio.Task[ExtractedText]:
    """Is reading what takes minutes."""
    return asyncio.create_task(extraction.extract_text_safely("a.pdf", endless_pdf()))


async def given_up(*tasks: asyncio.Task[ExtractedText]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_child_reads_what_the_function_reads() -> None:
    data = pdf_of("Read elsewhere")

    assert await SafeExtraction().extract_text_safely("a.pdf", data) == extract_text("a.pdf", data)


async def test_long_texts_come_back_whole() -> None:
    text = "Grüße 🎉 " * 100_000

    extracted = await SafeExtraction().extract_text_safely("a.txt", text.encode())

    assert extracted.file_type is FileType.TXT
    assert extracted.text == text


@pytest.mark.parametrize(
    ("data", "error"), [(b"", FileEmpty), (pdf_of("x")[:60], FileBroken), (b"text", FileBroken)]
)
async def test_rejections_reach_the_caller(data: bytes, error: type[FileRejected]) -> None:
    with pytest.raises(error) as raised:
        await SafeExtraction().extract_text_safely("a.pdf", data)

    assert raised.value.metadata["file"] == "a.pdf"


async def test_a_file_that_takes_too_long_is_given_up_and_its_process_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The child's own end, a second of processor time later, is not what is seen here.
    monkeypatch.setattr("services.files.text.safety.math.ceil", lambda _: 10 * round(PATIENCE))

    async with asyncio.timeout(PATIENCE):
        with pytest.raises(FileBroken, match="within 2 seconds"):
            await SafeExtraction(timeout=2).extract_text_safely("a.pdf", endless_pdf())

    assert readers() == []


async def test_who_stops_waiting_ends_the_process() -> None:
    task = begun(SafeExtraction())
    await reading(1)
    await given_up(task)

    assert readers() == []


async def test_the_event_loop_goes_on_while_a_file_is_read() -> None:
    task = begun(SafeExtraction(timeout=10 * PATIENCE))
    (reader,) = await reading(1)
    for _ in range(50):  # turns of the loop, however long they take
        await asyncio.sleep(0.01)

    assert readers() == [reader]
    await given_up(task)


async def test_no_more_files_are_read_at_once_than_allowed() -> None:
    extraction = SafeExtraction(parallel=2, timeout=10 * PATIENCE)
    first, *others = [begun(extraction) for _ in range(3)]
    two = await reading(2)
    await asyncio.sleep(1)
    assert readers() == two

    await given_up(first)
    assert await reading(2) != two
    await given_up(*others)


async def test_the_child_sees_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMA_SECRET", "hidden")
    task = begun(SafeExtraction())
    (reader,) = await reading(1)

    assert "MNEMA_SECRET" not in reader.environ()
    await given_up(task)
