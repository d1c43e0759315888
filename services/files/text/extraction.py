"""A file's bytes into its text."""

from services.files.text.bounds import bounded
from services.files.text.charset import decode
from services.files.text.csv_text import csv_text
from services.files.text.document import MAX_FILE_BYTES, ExtractedText, FileType, Page
from services.files.text.errors import FileEmpty, FileTooLarge
from services.files.text.file_types import kind_of
from services.files.text.json_text import json_text


def extract_text(filename: str, data: bytes, declared_mime: str = "") -> ExtractedText:
    """Return the text of a file. Runs as long as it takes: see `extract_text_safely`.

    Args:
        filename: As the user named it; its extension is a hint, its folders are ignored.
        data: All bytes, at most 32 MiB.
        declared_mime: The sender's claim; used only where content and name are silent.

    Raises:
        FileRejected: One of its subclasses (`services.files.text.errors`) says why.
    """
    if not data:
        raise FileEmpty(filename, "is empty")
    if len(data) > MAX_FILE_BYTES:
        raise FileTooLarge(
            filename,
            f"has {len(data)} bytes, more than {MAX_FILE_BYTES}",
            size=str(len(data)),
            limit=str(MAX_FILE_BYTES),
        )
    kind = kind_of(filename, data, declared_mime)
    pages, unreadable = _pages(kind.file_type, filename, data)
    return ExtractedText(kind.file_type, kind.mime_type, pages, unreadable)


def _pages(
    file_type: FileType, filename: str, data: bytes
) -> tuple[tuple[Page, ...], tuple[int, ...]]:
    match file_type:
        case FileType.IMAGE:
            return (), ()
        case FileType.PDF:
            from services.files.text.pdf_text import pdf_text  # noqa: PLC0415 - slow to load

            return pdf_text(filename, data)
        case FileType.DOCX:
            from services.files.text.docx_text import docx_text  # noqa: PLC0415 - slow to load

            text = docx_text(filename, data)
        case FileType.JSON:
            text = json_text(filename, decode(filename, data))
        case FileType.CSV:
            text = csv_text(filename, decode(filename, data))
        case FileType.TXT | FileType.MD:
            text = decode(filename, data)
    return tuple(Page(None, each) for each in bounded(filename, [text])), ()
