"""Chunks of a file's text, and the text's way from the child process."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.files.text.chunks import split_chunks
from services.files.text.document import ExtractedText, FileType, Page
from services.files.text.errors import FileTooLarge
from services.files.text.wire import (
    pack_file,
    pack_rejection,
    pack_text,
    unpack_file,
    unpack_text,
)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.binary(max_size=50), st.text(max_size=10))
def test_files_travel_to_the_child_unchanged(name: str, data: bytes, mime: str) -> None:
    assert unpack_file(pack_file(name, data, mime)) == (name, data, mime)


def test_text_and_rejections_travel_back_unchanged() -> None:
    extracted = ExtractedText(
        FileType.PDF, "application/pdf", (Page(1, "ä\n🎉"), Page(2, "")), (2,)
    )
    rejected = FileTooLarge("a", "is large", size="3", limit="2")

    assert unpack_text("a", pack_text(extracted)) == extracted
    with pytest.raises(FileTooLarge) as raised:
        unpack_text("a", pack_rejection(rejected))
    assert (str(raised.value), raised.value.metadata) == (str(rejected), rejected.metadata)


def test_chunks_know_their_page_and_their_place() -> None:
    pages = [f"Page {n} tells a story. " * 40 for n in (1, 2, 3)]
    extracted = ExtractedText(
        FileType.PDF, "application/pdf", tuple(Page(n + 1, text) for n, text in enumerate(pages))
    )

    chunks = split_chunks(extracted, max_chars=300)

    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    assert {chunk.page for chunk in chunks} == {1, 2, 3}
    for chunk in chunks:
        assert extracted.text[chunk.start : chunk.end] == chunk.text
        assert f"Page {chunk.page}" in chunk.text
        assert len(chunk.text) <= 300


def test_chunks_know_the_line_and_the_paragraph_they_begin_at() -> None:
    paragraphs = [f"Paragraph {n} begins.\nIt has a second line. " * 4 for n in range(1, 30)]
    text = "\n \n" + "\n\n".join(paragraphs[:10]) + "\n\n\n \n" + "\n\t\n".join(paragraphs[10:])
    extracted = ExtractedText(FileType.TXT, "text/plain", (Page(None, text),))

    chunks = split_chunks(extracted, max_chars=120)

    assert len(chunks) > 29
    for chunk in chunks:
        assert chunk.line == text[: chunk.start].count("\n") + 1
    firsts = {chunk.paragraph: chunk for chunk in reversed(chunks)}
    assert sorted(firsts) == list(range(1, 30))
    assert all(f"Paragraph {number} " in chunk.text for number, chunk in firsts.items())


def test_lines_begin_anew_on_each_page() -> None:
    pages = (Page(1, "one\n\ntwo"), Page(2, "three"), Page(3, ""), Page(4, "four\nfive"))
    chunks = split_chunks(ExtractedText(FileType.PDF, "application/pdf", pages), max_chars=16)
    assert [(chunk.page, chunk.line, chunk.paragraph) for chunk in chunks] == [
        (1, 1, 1), (2, 1, 1), (4, 1, 1)
    ]  # fmt: skip
