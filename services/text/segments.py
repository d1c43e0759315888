"""The natural pieces of a text: blocks (paragraph, list item, code, table) and sentences.

Everything here is a span of offsets into the text it was found in; nothing is rewritten.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import regex


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a list item, a heading or a run of code: text[start:end]."""

    start: int
    end: int
    is_heading: bool = False
    is_code: bool = False


_FENCE = regex.compile(r"[ \t]*(```|~~~)")
_HEADING = regex.compile(r"[ ]{0,3}#{1,6}[ \t]")
_ITEM = regex.compile(r"[ \t]*(?:[-*+•‣]|\p{Nd}{1,3}[.)])[ \t]")
_LINE = regex.compile(r"[^\n]*\n|[^\n]+")

# A sentence ends at its mark, closing quotes included, before white space; the marks of
# Chinese and Japanese need none after them. Possessive, and tried only at the head of a run
# of marks: a million dots cost a million steps, not their square.
_SENTENCE_END = regex.compile(
    r"""(?: (?<![.!?…؟।]) [.!?…؟।]++ ["'”’»)\]]*+ (?=\s) | [。！？]++ [」』”’）]*+ | \n++ )""",
    regex.VERBOSE,
)
_ABBREVIATION = regex.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|vs|etc|e\.g|i\.e|cf|No|Fig|approx|\p{Lu})\.$"
)
_LONGEST_ABBREVIATION = 8


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a text in order. Together they hold all that is not blank."""
    start = end = 0
    fence = ""
    for line in _LINE.finditer(text):
        here, mark = line.span()[0], _FENCE.match(line.group())
        if fence:
            end = line.end()
            if mark and mark[1] == fence:
                yield Block(start, end, is_code=True)
                fence, start = "", end
            continue
        blank = not line.group().strip()
        heading = bool(_HEADING.match(line.group()))
        if (blank or mark or heading or _ITEM.match(line.group())) and end > start:
            yield Block(start, end)
            start = end = here
        if blank:
            start = end = line.end()
        elif heading:
            yield Block(here, line.end(), is_heading=True)
            start = end = line.end()
        else:
            start, end = (here if end <= start else start), line.end()
            fence = mark[1] if mark else ""
    if end > start:
        yield Block(start, end, is_code=bool(fence))


def pieces(text: str, block: Block, max_chars: int) -> Iterator[tuple[int, int]]:
    """Yield a block's sentences (of code: lines), none longer than `max_chars`.

    Spans are trimmed of white space at both ends and never empty. A sentence that is too
    long is cut at white space, and where there is none, in the middle of the word.
    """
    whole = _lines(text, block) if block.is_code else _sentences(text, block)
    for start, end in whole:
        yield from _cut(text, start, end, max_chars)


def _lines(text: str, block: Block) -> Iterator[tuple[int, int]]:
    for line in _LINE.finditer(text, block.start, block.end):
        yield line.span()


def _sentences(text: str, block: Block) -> Iterator[tuple[int, int]]:
    start = block.start
    for mark in _SENTENCE_END.finditer(text, block.start, block.end):
        before = text[max(start, mark.end() - _LONGEST_ABBREVIATION) : mark.end()]
        if not _ABBREVIATION.search(before):
            yield start, mark.end()
            start = mark.end()
    yield start, block.end


def _cut(text: str, start: int, end: int, max_chars: int) -> Iterator[tuple[int, int]]:
    start, end = trimmed(text, start, end)
    while end - start > max_chars:
        limit = start + max_chars
        space = max(text.rfind(" ", start, limit), text.rfind("\n", start, limit))
        # A cut in the first half would leave crumbs; better to break the word.
        middle = space if space > start + max_chars // 2 else limit
        yield trimmed(text, start, middle)
        start, end = trimmed(text, middle, end)
    if end > start:
        yield start, end


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without the white space at its ends; empty at `end` if all of it is."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
