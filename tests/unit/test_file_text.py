"""Text out of files of every kind, made here by the tools that make such files."""

import codecs
import io
import json
import zipfile
from typing import cast

import docx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject
from reportlab.pdfgen import canvas

from services.files.text import document
from services.files.text.document import ExtractedText, FileType, Page
from services.files.text.errors import (
    FileBroken,
    FileEmpty,
    FileEncrypted,
    FileRejected,
    FileTooLarge,
    TextTooLarge,
    UnsupportedFileType,
)
from services.files.text.extraction import extract_text


def pdf_of(*pages: str) -> bytes:
    written = io.BytesIO()
    sheet = canvas.Canvas(written)
    for text in pages:
        sheet.drawString(72, 700, text)
        sheet.showPage()
    sheet.save()
    return written.getvalue()


def encrypted(pdf: bytes, user_password: str) -> bytes:
    writer = PdfWriter(PdfReader(io.BytesIO(pdf)))
    writer.encrypt(user_password, owner_password="owner", algorithm="AES-256")
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def docx_of() -> bytes:
    made = docx.Document()
    made.sections[0].header.paragraphs[0].text = "Confidential header"
    made.sections[0].footer.paragraphs[0].text = "Footer line"
    made.add_heading("Trip to Lisbon", level=2)
    made.add_paragraph("Alice booked the flight.")
    made.add_paragraph("passport", style="List Bullet")
    table = made.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ["City", "Day", "Lisbon", "Monday"], strict=True):
        cell.text = text
    table.cell(1, 0).add_table(rows=1, cols=1).cell(0, 0).text = "Nested"
    made.add_paragraph("After the table.")
    written = io.BytesIO()
    made.save(written)
    return written.getvalue()


def image_of(kind: str) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(written, kind)
    return written.getvalue()


def zip_of(members: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return written.getvalue()


def test_plain_text_and_markdown_come_as_they_are() -> None:
    assert extract_text("a.txt", b"one\r\ntwo\rthree") == ExtractedText(
        FileType.TXT, "text/plain", (Page(None, "one\ntwo\nthree"),)
    )
    assert extract_text("notes.MD", b"# Title\n") == ExtractedText(
        FileType.MD, "text/markdown", (Page(None, "# Title\n"),)
    )


@pytest.mark.parametrize(
    "data",
    [
        "Grüße aus Zürich, schöne Straße".encode(),
        codecs.BOM_UTF8 + "Grüße aus Zürich, schöne Straße".encode(),
        "Grüße aus Zürich, schöne Straße".encode("utf-16"),
        codecs.BOM_UTF16_BE + "Grüße aus Zürich, schöne Straße".encode("utf-16-be"),
        "Grüße aus Zürich, schöne Straße".encode("utf-32"),
        "Grüße aus Zürich, schöne Straße".encode("cp1252"),
    ],
    ids=["utf-8", "utf-8 mark", "utf-16-le", "utf-16-be", "utf-32", "cp1252"],
)
def test_encodings_are_found_out(data: bytes) -> None:
    assert extract_text("a.txt", data).text == "Grüße aus Zürich, schöne Straße"


def test_cyrillic_without_a_mark_is_found_out() -> None:
    text = "Привет, как дела? Сегодня мы едем в Лиссабон и будем там целую неделю. " * 4

    assert extract_text("a.txt", text.encode("cp1251")).text == text


def test_broken_encodings_are_errors() -> None:
    with pytest.raises(FileBroken):
        extract_text("a.txt", codecs.BOM_UTF16_LE + b"\x00\xd8\x41")


def test_json_becomes_lines_with_paths() -> None:
    value = '{"user": {"name": "Alice", "tags": ["a", "b"], "paid": true, "x": null, "n": 1.10}}'

    extracted = extract_text("a.json", value.encode())

    assert extracted.file_type is FileType.JSON
    assert extracted.text.split("\n") == [
        "user.name: Alice",
        "user.tags: a",
        "user.tags: b",
        "user.paid: true",
        "user.x: null",
        "user.n: 1.10",
    ]


def test_objects_in_a_json_list_are_paragraphs() -> None:
    extracted = extract_text("a.json", b'[{"n": 1, "m": 2}, {"n": 3}]')

    assert extracted.text == "n: 1\nm: 2\n\nn: 3"


def test_json_escapes_cannot_smuggle_what_no_database_takes() -> None:
    text = extract_text("a.json", rb'["a\u0000b", "\ud800", "\ud83c\udf89"]').text

    assert text == "ab\n\ufffd\n🎉"


@pytest.mark.parametrize("source", [b'{"a": 1', b"[1,]", b"hello", b"[" * 100_000])
def test_what_is_no_json_is_broken(source: bytes) -> None:
    with pytest.raises(FileBroken):
        extract_text("a.json", source)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_table_rows_name_their_columns(delimiter: str) -> None:
    rows = [["name", "city"], ["Alice", "Lisbon"], ["Bob", ""], ["", ""], ["Zoë", 'the "old" town']]
    quoted = "\n".join(
        delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows
    )

    extracted = extract_text("a.csv", quoted.encode())

    assert extracted.file_type is FileType.CSV
    assert extracted.text == (
        'name: Alice\ncity: Lisbon\n\nname: Bob\n\nname: Zoë\ncity: the "old" town'
    )


def test_a_table_without_a_heading_and_with_ragged_rows() -> None:
    assert extract_text("a.csv", b"1,2\n3,4\n").text == (
        "column 1: 1\ncolumn 2: 2\n\ncolumn 1: 3\ncolumn 2: 4"
    )
    assert extract_text("a.csv", b"a,b\nx\ny,z,more\n").text == "a: x\n\na: y\nb: z\ncolumn 3: more"
    assert extract_text("one.csv", b"just one column\nvalue\n").text == "just one column: value"


def test_a_quote_that_never_closes_is_broken() -> None:
    with pytest.raises(FileBroken):
        extract_text("a.csv", b'a,b\n"never closed,2\n')


def test_pdf_pages_keep_their_numbers() -> None:
    extracted = extract_text("a.pdf", pdf_of("First page", "", "Third page"))

    assert extracted.mime_type == "application/pdf"
    assert extracted.pages == (Page(1, "First page"), Page(2, ""), Page(3, "Third page"))
    assert extracted.unreadable_pages == ()


def test_a_pdf_that_needs_a_password_is_encrypted() -> None:
    with pytest.raises(FileEncrypted) as raised:
        extract_text("a.pdf", encrypted(pdf_of("secret"), "password"))

    assert raised.value.reason == "FILE_ENCRYPTED"


def test_a_pdf_with_an_owner_password_only_is_read() -> None:
    assert extract_text("a.pdf", encrypted(pdf_of("readable"), "")).text == "readable"


@pytest.mark.parametrize("cut", [60, 400])
def test_a_cut_pdf_is_broken(cut: int) -> None:
    with pytest.raises(FileBroken):
        extract_text("a.pdf", pdf_of("page")[:cut])


def test_damaged_pages_are_named_and_the_others_read() -> None:
    writer = PdfWriter(PdfReader(io.BytesIO(pdf_of("good", "bad", "fine"))))
    drawing = cast(DictionaryObject, writer.pages[1]["/Contents"].get_object())
    drawing[NameObject("/Filter")] = NameObject("/NoSuchFilter")
    written = io.BytesIO()
    writer.write(written)

    extracted = extract_text("a.pdf", written.getvalue())

    assert extracted.unreadable_pages == (2,)
    assert [page.text for page in extracted.pages] == ["good", "", "fine"]


def test_a_pdf_of_too_many_pages_is_too_large() -> None:
    with pytest.raises(FileTooLarge) as raised:
        extract_text("a.pdf", pdf_of(*[""] * (document.MAX_PAGES + 1)))

    assert raised.value.metadata["limit"] == str(document.MAX_PAGES)
    assert raised.value.metadata["size"] == str(document.MAX_PAGES + 1)


def test_word_documents_keep_their_order_tables_and_headers() -> None:
    extracted = extract_text("a.docx", docx_of())

    assert extracted.file_type is FileType.DOCX
    assert extracted.text.split("\n\n") == [
        "Confidential header",
        "## Trip to Lisbon",
        "Alice booked the flight.",
        "- passport",
        "City | Day\nLisbon | Monday\nNested",
        "After the table.",
        "Footer line",
    ]


def test_a_damaged_word_document_is_broken() -> None:
    good = docx_of()
    members = {"word/document.xml": b"<not xml", "[Content_Types].xml": b"<x/>"}

    for damaged in (good[: len(good) // 2], zip_of(members)):
        with pytest.raises(FileBroken):
            extract_text("a.docx", damaged)


def test_a_zip_bomb_is_too_large() -> None:
    bomb = zip_of({"word/document.xml": b"x", "word/media": bytes(document.MAX_UNPACKED_BYTES)})
    assert len(bomb) < 1_000_000

    with pytest.raises(FileTooLarge):
        extract_text("a.docx", bomb)


def test_a_protected_word_document_is_encrypted() -> None:
    # The container that Office wraps around an encrypted document, as far as one looks.
    container = (
        bytes.fromhex("d0cf11e0a1b11ae1") + bytes(512) + "EncryptedPackage".encode("utf-16-le")
    )

    with pytest.raises(FileEncrypted):
        extract_text("a.docx", container)
    with pytest.raises(UnsupportedFileType):
        extract_text("a.doc", container[:512])


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp", "bmp", "tiff"])
def test_images_are_known_and_have_no_text(kind: str) -> None:
    for name in (f"a.{kind}", "a.png", "no-extension"):
        extracted = extract_text(name, image_of(kind))
        assert (extracted.file_type, extracted.mime_type) == (FileType.IMAGE, f"image/{kind}")
        assert extracted.pages == ()
        assert extracted.text == ""


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.pdf", b"no pdf at all"),
        ("a.docx", b"no document"),
        ("a.png", b"no picture"),
        ("a.txt", pdf_of("a pdf")),
        ("a.pdf", image_of("png")),
        ("a.png", docx_of()),
        ("a.txt", b"\x00\x01\x02\x03binary"),
    ],
)
def test_a_name_that_contradicts_the_content_is_broken(name: str, data: bytes) -> None:
    with pytest.raises(FileBroken) as raised:
        extract_text(name, data)

    assert raised.value.reason == "FILE_BROKEN"
    assert {"expected", "found"} <= set(raised.value.metadata)


@pytest.mark.parametrize(
    "data",
    [zip_of({"a": b"b"}), b"\x7fELF" + bytes(60), b"{\\rtf1 text}", bytes(100)],
    ids=["zip", "program", "rtf", "zeros"],
)
def test_other_kinds_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedFileType) as raised:
        extract_text("unknown.bin", data)

    assert raised.value.reason == "FILE_TYPE_UNSUPPORTED"
    assert raised.value.metadata["file_type"]


def test_without_extension_the_declared_type_decides_among_texts() -> None:
    assert extract_text("a", b"# x", "text/markdown; charset=utf-8").file_type is FileType.MD
    assert extract_text("a", b"x,y\n1,2\n", "text/csv").file_type is FileType.CSV
    assert extract_text("a.json", b"{}", "text/plain").file_type is FileType.JSON
    assert extract_text("a", b"plain").file_type is FileType.TXT
    assert extract_text("a", pdf_of("x"), "text/plain").file_type is FileType.PDF


def test_texts_that_look_like_other_kinds_stay_texts() -> None:
    assert extract_text("a.txt", b"BMW builds cars").file_type is FileType.TXT
    assert extract_text("a.md", b"A PDF begins with %PDF-1.7").file_type is FileType.MD


def test_sizes_are_limited() -> None:
    with pytest.raises(FileEmpty) as empty:
        extract_text("a.txt", b"")
    with pytest.raises(FileTooLarge) as large:
        extract_text("a.txt", bytes(document.MAX_FILE_BYTES + 1))
    with pytest.raises(TextTooLarge) as long:
        extract_text("a.txt", b"x" * (document.MAX_TEXT_CHARS + 1))

    assert empty.value.reason == "FILE_EMPTY"
    assert large.value.reason == long.value.reason == "FILE_TOO_LARGE"
    assert long.value.metadata["limit"] == str(document.MAX_TEXT_CHARS)


def test_long_paths_cannot_multiply_the_text() -> None:
    source = json.dumps({"k" * 20_000: list(range(2000))}).encode()

    with pytest.raises(TextTooLarge):
        extract_text("a.json", source)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["a", "a.txt", "a.md", "a.json", "a.csv", "a.pdf", "a.docx", "a.png"]),
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")),
        st.binary(max_size=200).map(lambda data: b"%PDF-1.4\n" + data),
        st.binary(max_size=200).map(lambda data: b"PK\x03\x04" + data),
    ),
)
def test_any_bytes_give_clean_text_or_a_rejection(name: str, data: bytes) -> None:
    try:
        extracted = extract_text(name, data)
    except FileRejected as rejected:
        assert rejected.metadata["file"] == name  # noqa: PT017 - either outcome is right
    else:
        assert "\x00" not in extracted.text
        extracted.text.encode()
