"""A file's text cut into chunks to embed, each knowing its page and where it begins there."""

import re
from dataclasses import dataclass

from services.files.text.document import PAGE_BREAK, ExtractedText
from services.runtime.turns import Steps, at_once
from services.text.passages import DEFAULT_MAX_CHARS, passages_in

_BLANK_LINES = re.compile(r"\n[^\S\n]*(?=\n)\s*")


@dataclass(frozen=True, slots=True)
class Chunk:
    """`text` is `ExtractedText.text`[start:end]; `page` counts from 1, None without pages.

    `line` and `paragraph` are where it begins in its page, or in a text without pages, from 1.
    """

    position: int
    page: int | None
    start: int
    end: int
    text: str
    line: int = 1
    paragraph: int = 1


def split_chunks(
    extracted: ExtractedText, *, max_chars: int = DEFAULT_MAX_CHARS
) -> tuple[Chunk, ...]:
    """Cut each page into passages of at most `max_chars`; none spans two pages."""
    return at_once(chunks_in_steps(extracted, max_chars=max_chars))


def chunks_in_steps(
    extracted: ExtractedText, *, max_chars: int = DEFAULT_MAX_CHARS
) -> Steps[tuple[Chunk, ...]]:
    """`split_chunks`, passage by passage."""
    chunks: list[Chunk] = []
    offset = 0
    for page in extracted.pages:
        place = _Place(page.text)
        for passage in passages_in(page.text, max_chars=max_chars):
            chunks.append(
                Chunk(
                    len(chunks),
                    page.number,
                    offset + passage.start,
                    offset + passage.end,
                    passage.text,
                    *place.at(passage.start),
                )
            )
            yield
        offset += len(page.text) + len(PAGE_BREAK)
    return tuple(chunks)


class _Place:
    """Counts lines and paragraphs on the way through a text, each part of it once."""

    def __init__(self, text: str) -> None:
        self._text = text
        first = len(text) - len(text.lstrip())
        self._seen, self._line, self._paragraph = first, 1 + text.count("\n", 0, first), 1

    def at(self, start: int) -> tuple[int, int]:
        """Line and paragraph of a place; never before that of the call before."""
        passed = slice(self._seen, max(start, self._seen))
        self._line += self._text.count("\n", passed.start, passed.stop)
        self._paragraph += len(_BLANK_LINES.findall(self._text, passed.start, passed.stop))
        self._seen = passed.stop
        return self._line, self._paragraph
