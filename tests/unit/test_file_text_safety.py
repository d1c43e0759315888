"""A hostile file costs its own process, never the service."""

import asyncio
import contextlib
import io
import os
import time
import zlib

import psutil
import pytest
from reportlab.pdfgen import canvas

from services.files.text.document import FileType
from services.files.text.errors import FileBroken, FileEmpty, FileRejected
from services.files.text.extraction import extract_text
from services.files.text.safety import SafeExtraction


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


async def test_a_file_that_takes_too_long_is_given_up_and_its_process_ends() -> None:
    begun = time.monotonic()

    with pytest.raises(FileBroken, match="within 2 seconds"):
        await SafeExtraction(timeout=2).extract_text_safely("a.pdf", endless_pdf())

    assert time.monotonic() - begun < 8
    assert readers() == []


async def test_who_stops_waiting_ends_the_process() -> None:
    task = asyncio.create_task(SafeExtraction().extract_text_safely("a.pdf", endless_pdf()))
    async with asyncio.timeout(20):
        while not readers():  # noqa: ASYNC110 - a process, not an event
            await asyncio.sleep(0.02)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert readers() == []


async def test_the_event_loop_goes_on_while_a_file_is_read() -> None:
    reading = asyncio.create_task(
        SafeExtraction(timeout=2).extract_text_safely("a.pdf", endless_pdf())
    )
    longest = 0.0
    while not reading.done():
        before = time.monotonic()
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - before)

    assert isinstance(reading.exception(), FileBroken)
    assert longest < 1


async def test_no_more_files_are_read_at_once_than_allowed() -> None:
    extraction = SafeExtraction(parallel=2, timeout=1.5)
    tasks = [
        asyncio.create_task(extraction.extract_text_safely("a.pdf", endless_pdf()))
        for _ in range(3)
    ]
    most = 0
    while not all(task.done() for task in tasks):
        most = max(most, len(readers()))
        await asyncio.sleep(0.05)

    assert most == 2
    assert all(isinstance(task.exception(), FileBroken) for task in tasks)


async def test_the_child_sees_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMA_SECRET", "hidden")
    task = asyncio.create_task(SafeExtraction().extract_text_safely("a.pdf", endless_pdf()))
    async with asyncio.timeout(20):
        while not (found := readers()):  # noqa: ASYNC110 - a process, not an event
            await asyncio.sleep(0.02)

    assert "MNEMA_SECRET" not in found[0].environ()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
