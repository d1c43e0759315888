"""A file's text cut into chunks to embed, each knowing its page."""

from dataclasses import dataclass

from services.files.text.document import PAGE_BREAK, ExtractedText
from services.text.passages import DEFAULT_MAX_CHARS, split_passages


@dataclass(frozen=True, slots=True)
class Chunk:
    """`text` is `ExtractedText.text`[start:end]; `page` counts from 1, None without pages."""

    position: int
    page: int | None
    start: int
    end: int
    text: str


def split_chunks(
    extracted: ExtractedText, *, max_chars: int = DEFAULT_MAX_CHARS
) -> tuple[Chunk, ...]:
    """Cut each page into passages of at most `max_chars`; none spans two pages."""
    chunks: list[Chunk] = []
    offset = 0
    for page in extracted.pages:
        for passage in split_passages(page.text, max_chars=max_chars):
            chunks.append(
                Chunk(
                    len(chunks),
                    page.number,
                    offset + passage.start,
                    offset + passage.end,
                    passage.text,
                )
            )
        offset += len(page.text) + len(PAGE_BREAK)
    return tuple(chunks)
