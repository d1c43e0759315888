"""Tables as "column: value" lines, so that a row read alone still says what it means."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO

from services.files.text.bounds import bounded
from services.files.text.document import MAX_TEXT_CHARS
from services.files.text.errors import FileBroken

_SAMPLE_CHARS = 64 * 1024
_DELIMITERS = ",;\t|"


def csv_text(filename: str, source: str) -> str:
    """Return one paragraph per row and one line per filled cell, "column: value".

    The delimiter (comma, semicolon, tab, bar) is found by looking. The first row names the
    columns unless it holds a number, a repeated name or an empty cell; columns without a
    name are "column 1", "column 2", …

    Raises:
        FileBroken: A quote that never closes, and the like.
        TextTooLarge: Wide rows can make more text than the file has.
    """
    csv.field_size_limit(MAX_TEXT_CHARS)
    try:
        rows = csv.reader(StringIO(source, newline=""), _dialect(source), strict=True)
        paragraphs = _paragraphs(row for row in rows if any(map(str.strip, row)))
        return "\n\n".join(bounded(filename, paragraphs))
    except csv.Error as failure:
        raise FileBroken(filename, f"is not a readable table: {failure}") from failure


def _dialect(source: str) -> type[csv.Dialect]:
    try:
        found = csv.Sniffer().sniff(source[:_SAMPLE_CHARS], _DELIMITERS)
    except csv.Error:
        return csv.excel
    # The sniffer tells doubled quotes only when its sample happens to hold some.
    found.doublequote = True
    return found


def _paragraphs(rows: Iterator[list[str]]) -> Iterator[str]:
    first = next(rows, [])
    if _names_columns(first):
        names: Sequence[str] = [name.strip() for name in first]
    else:
        names = ()
        yield _paragraph(names, first)
    for row in rows:
        yield _paragraph(names, row)


def _names_columns(row: list[str]) -> bool:
    names = [name.strip() for name in row]
    return all(names) and len(set(names)) == len(names) and not any(map(_is_number, names))


def _is_number(text: str) -> bool:
    return text.strip("+-$€£%").replace(",", "").replace(".", "").isdigit()


def _paragraph(names: Sequence[str], row: list[str]) -> str:
    named = [*names, *(f"column {number + 1}" for number in range(len(names), len(row)))]
    return "\n".join(
        f"{name}: {' '.join(cell.split())}"
        for name, cell in zip(named, row, strict=False)
        if cell.strip()
    )
