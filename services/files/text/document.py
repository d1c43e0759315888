"""What is read out of a file, and the limits on it."""

from dataclasses import dataclass
from enum import StrEnum

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_TEXT_CHARS = 10_000_000
MAX_PAGES = 5_000
MAX_UNPACKED_BYTES = 256 * 1024 * 1024


class FileType(StrEnum):
    """The kinds of file taken in. Text is read from all but IMAGE, which is stored only."""

    TXT = "txt"
    MD = "md"
    JSON = "json"
    CSV = "csv"
    PDF = "pdf"
    DOCX = "docx"
    IMAGE = "image"


PAGE_BREAK = "\n\n"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of text. `number` counts from 1; None where the format has no pages."""

    number: int | None
    text: str


@dataclass(frozen=True, slots=True)
class ExtractedText:
    """The text of one file.

    `pages` is empty for an image, and has one unnumbered page for every format but PDF. A
    page without text (a scan) is an empty string. `unreadable_pages` are the numbers of
    the PDF pages that are damaged; their text is missing.
    """

    file_type: FileType
    mime_type: str
    pages: tuple[Page, ...] = ()
    unreadable_pages: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """The whole text, pages joined by a blank line."""
        return PAGE_BREAK.join(page.text for page in self.pages)
