"""The limit on the text of one file, kept while the text is being put together."""

from collections.abc import Iterable, Iterator

from services.files.text.document import MAX_TEXT_CHARS
from services.files.text.errors import TextTooLarge


def bounded(filename: str, parts: Iterable[str]) -> Iterator[str]:
    """Pass the parts on, and stop in time.

    Raises:
        TextTooLarge: Together they are longer than 10 million characters.
    """
    size = 0
    for part in parts:
        size += len(part)
        if size > MAX_TEXT_CHARS:
            raise TextTooLarge(
                filename,
                f"holds more than {MAX_TEXT_CHARS} characters of text",
                size=str(size),
                limit=str(MAX_TEXT_CHARS),
            )
        yield part
