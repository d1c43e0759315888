"""Long texts cut into passages short enough to embed.

An embedding model reads a few hundred tokens and ignores the rest, so a long message or
file is embedded passage by passage and scores by its best one. Passages follow the text's
own joints (headings, paragraphs, list items, code blocks, sentences), are offsets into the
original, and overlap by a sentence so that what is said across a cut is found in one piece.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from services.text.segments import Block, blocks, pieces, trimmed
from services.text.tokens import CHARS_PER_TOKEN, estimate_tokens

DEFAULT_MAX_CHARS = 900
"""About 200 tokens of English: within the 256 a small sentence model reads."""

DEFAULT_OVERLAP_CHARS = 200
MIN_MAX_CHARS = 16


@dataclass(frozen=True, slots=True)
class Passage:
    """One piece of a text: `text` is original[start:end], in characters (code points).

    `position` counts from 0. `start` never goes back from one passage to the next, but a
    passage may begin inside the one before it (the overlap).
    """

    position: int
    start: int
    end: int
    text: str


@dataclass(slots=True)
class _Open:
    """The passage being filled: where it begins, ends, and its last sentence begins."""

    start: int
    end: int
    last: int
    pieces: int = 1

    def take(self, start: int, end: int) -> None:
        self.end, self.last, self.pieces = end, start, self.pieces + 1


def split_passages(
    text: str,
    *,
    max_chars: int = DEFAULT_MAX_CHARS,
    overlap_chars: int = DEFAULT_OVERLAP_CHARS,
) -> tuple[Passage, ...]:
    """Cut a text into passages of at most `max_chars` characters.

    A text that fits is one passage; a blank text has none. All that is not white space is
    in some passage. Text whose characters weigh more than a quarter of a token (Chinese,
    Japanese, Korean, Thai, …) gets passages shorter in proportion.

    Args:
        text: Any text, of any length.
        max_chars: The longest passage, at least 16.
        overlap_chars: The longest sentence that is repeated at the head of the next
            passage; 0 for no overlap. Not repeated across a heading.

    Raises:
        ValueError: `max_chars` is below 16 or `overlap_chars` negative.
    """
    return tuple(passages_in(text, max_chars=max_chars, overlap_chars=overlap_chars))


def passages_in(
    text: str,
    *,
    max_chars: int = DEFAULT_MAX_CHARS,
    overlap_chars: int = DEFAULT_OVERLAP_CHARS,
) -> Iterator[Passage]:
    """What `split_passages` gives, one by one."""
    if max_chars < MIN_MAX_CHARS or overlap_chars < 0:
        raise ValueError(f"passages of {max_chars} characters, overlapping by {overlap_chars}")
    size = _size_for(text, max_chars)
    start, end = trimmed(text, 0, len(text))
    spans = [(start, end)] if end - start <= size else _spans(text, size, overlap_chars)
    for position, (start, end) in enumerate(spans):
        if end > start:
            yield Passage(position, start, end, text[start:end])


def _size_for(text: str, max_chars: int) -> int:
    tokens = estimate_tokens(text)
    if tokens * CHARS_PER_TOKEN <= len(text) + CHARS_PER_TOKEN:
        return max_chars
    return max(MIN_MAX_CHARS, max_chars * len(text) // (tokens * CHARS_PER_TOKEN))


def _spans(text: str, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    current: _Open | None = None
    for block in blocks(text):
        if current and _starts_anew(current, block, text, size):
            yield current.start, current.end
            current = None if block.is_heading else _after(current, block.start, size, overlap)
        for start, end in pieces(text, block, size):
            if current is None:
                current = _Open(start, end, start)
            elif end - current.start <= size:
                current.take(start, end)
            else:
                if current.pieces:
                    yield current.start, current.end
                current = _following(current, start, end, size, overlap)
    if current and current.pieces:
        yield current.start, current.end


def _starts_anew(current: _Open, block: Block, text: str, size: int) -> bool:
    """Whether the block opens a passage: a heading, or a block that would be torn."""
    filled = current.end - current.start
    if block.is_heading:
        return filled > size // 4
    _, end = trimmed(text, block.start, block.end)
    return end - current.start > size and filled > size // 2


def _after(current: _Open, start: int, size: int, overlap: int) -> _Open | None:
    """An open passage that holds the last sentence of `current` only, or None."""
    if current.pieces > 1 and start - current.last <= min(overlap, size // 2):
        return _Open(current.last, current.end, current.last, pieces=0)
    return None


def _following(current: _Open, start: int, end: int, size: int, overlap: int) -> _Open:
    """The passage after `current`, which begins with the sentence start:end."""
    repeated = _after(current, start, size, overlap)
    if repeated and end - repeated.start <= size:
        return _Open(repeated.start, end, start)
    return _Open(start, end, start)
