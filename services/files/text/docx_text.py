"""Text out of Word documents: paragraphs, lists, tables, headers, footers."""

import zipfile
from collections.abc import Iterator
from io import BytesIO

import docx
from docx.document import Document
from docx.table import Table
from docx.text.paragraph import Paragraph

from services.files.text.charset import clean
from services.files.text.document import MAX_UNPACKED_BYTES
from services.files.text.errors import FileBroken, FileTooLarge

_LIST_STYLE = "List"
_HEADING_STYLE = "Heading "
_MAX_TABLE_DEPTH = 20


def docx_text(filename: str, data: bytes) -> str:
    """Return the text in reading order, one paragraph, list item or table row a block.

    Headings get Markdown's marks and list items a dash, so that passages are cut at them;
    table cells are joined by " | ". Headers come first and footers last, each once.

    Raises:
        FileTooLarge: It unpacks to more than 256 MiB (a zip bomb).
        FileBroken: It is damaged.
    """
    _refuse_bomb(filename, data)
    try:
        document = docx.Document(BytesIO(data))
        blocks = [*_running(document, "header"), *_body(document), *_running(document, "footer")]
    except MemoryError:
        raise
    except Exception as failure:  # damaged XML surfaces as whatever the reader trips over
        raise FileBroken(filename, f"is a damaged Word document: {failure}") from failure
    return clean("\n\n".join(block for block in blocks if block.strip()))


def _refuse_bomb(filename: str, data: bytes) -> None:
    # A size declared too small does no harm: zipfile reads no further than declared.
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as failure:
        raise FileBroken(filename, "is a damaged archive") from failure
    if unpacked > MAX_UNPACKED_BYTES:
        raise FileTooLarge(
            filename,
            f"unpacks to {unpacked} bytes, more than {MAX_UNPACKED_BYTES}",
            size=str(unpacked),
            limit=str(MAX_UNPACKED_BYTES),
        )


def _body(document: Document) -> Iterator[str]:
    for item in document.iter_inner_content():
        yield _table(item) if isinstance(item, Table) else _paragraph(item)


def _paragraph(paragraph: Paragraph) -> str:
    style = (paragraph.style.name or "") if paragraph.style else ""
    level = style.removeprefix(_HEADING_STYLE)
    if style.startswith(_HEADING_STYLE) and level.isdigit():
        return f"{'#' * min(int(level), 6)} {paragraph.text}"
    return f"- {paragraph.text}" if style.startswith(_LIST_STYLE) else paragraph.text


def _table(table: Table, depth: int = 0) -> str:
    rows: list[str] = []
    for row in table.rows:
        # A merged cell is listed once for each column it spans.
        cells = list({id(cell._tc): cell for cell in row.cells}.values())
        texts = [" ".join(cell.text.split()) for cell in cells]
        rows.append(" | ".join(text for text in texts if text))
        if depth < _MAX_TABLE_DEPTH:
            rows.extend(_table(inner, depth + 1) for cell in cells for inner in cell.tables)
    return "\n".join(filter(None, rows))


def _running(document: Document, which: str) -> list[str]:
    """The headers or footers of all sections, each different one once."""
    texts: dict[str, None] = {}
    for section in document.sections:
        part = section.header if which == "header" else section.footer
        if not part.is_linked_to_previous:
            texts["\n".join(paragraph.text for paragraph in part.paragraphs)] = None
    return list(texts)
