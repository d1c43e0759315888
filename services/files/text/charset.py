"""Bytes into clean text, whatever they are encoded in."""

import codecs

import charset_normalizer

from services.files.text.errors import FileBroken

# Longest first: the mark of UTF-32-LE begins with the one of UTF-16-LE.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Detection costs time in proportion; an encoding shows itself within this much.
_SAMPLE_BYTES = 256 * 1024
_CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\n\r\f\b\x1b")


def looks_like_text(data: bytes) -> bool:
    """Whether the bytes can be text: a byte order mark, or no control characters."""
    if data.startswith(tuple(mark for mark, _ in _MARKS)):
        return True
    return _CONTROLS.isdisjoint(data[:_SAMPLE_BYTES])


def decode(filename: str, data: bytes) -> str:
    """Return the text of the bytes: by their mark, else as UTF-8, else as detected.

    Line ends become "\\n"; NUL and lone surrogates, which no database takes, are dropped or
    replaced.

    Raises:
        FileBroken: The bytes are text in no encoding we know.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(filename, data, encoding)
    try:
        return clean(data.decode())
    except UnicodeDecodeError:
        best = charset_normalizer.from_bytes(data[:_SAMPLE_BYTES]).best()
    if best is None:
        raise FileBroken(filename, "is in no known text encoding")
    return _decoded(filename, data, best.encoding)


def clean(text: str) -> str:
    """Return the text with "\\n" for line ends, without NUL and lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        # Pairs written as two halves are joined, halves alone become U+FFFD.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _decoded(filename: str, data: bytes, encoding: str) -> str:
    try:
        return clean(data.decode(encoding))
    except UnicodeDecodeError as failure:
        raise FileBroken(
            filename, f"is not valid {encoding} at byte {failure.start}", encoding=encoding
        ) from failure
