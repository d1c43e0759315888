"""Text out of PDF, page by page. Parsing hostile input: run it in a child process."""

from collections.abc import Iterator
from io import BytesIO

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError

from services.files.text.bounds import bounded
from services.files.text.charset import clean
from services.files.text.document import MAX_PAGES, Page
from services.files.text.errors import FileBroken, FileEncrypted, FileTooLarge


def pdf_text(filename: str, data: bytes) -> tuple[tuple[Page, ...], tuple[int, ...]]:
    """Return the pages, and the numbers of those that are damaged (they have no text).

    A document that only restricts printing or copying opens without its owner's password.

    Raises:
        FileEncrypted: It opens with a password only.
        FileBroken: It is damaged as a whole, or every page is.
        FileTooLarge: More than 5,000 pages.
        TextTooLarge: More than 10 million characters.
    """
    reader, count = _opened(filename, data)
    unreadable: list[int] = []
    texts = bounded(filename, _page_texts(reader, count, unreadable))
    pages = tuple(Page(number, text) for number, text in enumerate(texts, start=1))
    if len(unreadable) == count:
        raise FileBroken(filename, f"has {count} pages, none of them readable")
    return pages, tuple(unreadable)


def _opened(filename: str, data: bytes) -> tuple[PdfReader, int]:
    try:
        reader = PdfReader(BytesIO(data))
        locked = reader.is_encrypted and not reader.decrypt("")
        count = 0 if locked else len(reader.pages)
    except (FileNotDecryptedError, DependencyError) as failure:
        raise FileEncrypted(filename, "is protected by a password") from failure
    except MemoryError:
        raise
    except Exception as failure:  # damaged files surface as whatever the parser trips over
        raise FileBroken(filename, f"is a damaged PDF: {failure}") from failure
    if locked:
        raise FileEncrypted(filename, "is protected by a password")
    if count > MAX_PAGES:
        raise FileTooLarge(
            filename,
            f"has {count} pages, more than {MAX_PAGES}",
            size=str(count),
            limit=str(MAX_PAGES),
        )
    return reader, count


def _page_texts(reader: PdfReader, count: int, unreadable: list[int]) -> Iterator[str]:
    for number in range(1, count + 1):
        try:
            text = clean(reader.pages[number - 1].extract_text()).strip()
        except MemoryError:
            raise
        except Exception:  # as above; the number is reported, the other pages are read
            unreadable.append(number)
            text = ""
        yield text
