"""From a message to sentences, without the parts that are not the speaker's own words.

Code, quoted lines and quotations are taken out before anything is read as a statement; a stage
direction in brackets ("[shares a photo of a lake]") becomes a sentence of its own kind.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

MAX_SENTENCE = 400
MAX_SENTENCES = 1_000

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_BRACKETS = re.compile(r"\[([^\[\]]{1,400})\]")
_LINE_MARK = re.compile(r"^\s*(?:[-*•#]+|\d{1,3}[.)])\s+")
_END = re.compile(r"(?<=[.!?…])[\"')\]”’]*\s+|(?<=[。！？])\s*")
_ABBREVIATION = re.compile(
    r"(?:\b(?:dr|mr|mrs|ms|prof|st|sr|jr|vs|etc|e\.g|i\.e|approx|no|dept|inc|ltd|co)|\b[A-Z])\.$",
    re.IGNORECASE,
)
_QUOTATION = re.compile(r'"[^"\n]{1,400}"|“[^”\n]{1,400}”')
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_STAGE = re.compile(
    r"(?:shares?|shared|sends?|sent|shows?|posts?|attach(?:es)?|uploads?)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """`text` as written; `plain` without quotations, a space between words; `words` lower case."""

    text: str
    plain: str
    lower: str
    words: tuple[str, ...]
    word_set: frozenset[str]
    question: bool
    stage_direction: bool


def sentences_of(message: str) -> list[Sentence]:
    """The sentences of a message, in order: MAX_SENTENCES at most, each cut to MAX_SENTENCE."""
    text = message.replace("’", "'").replace("‘", "'")
    if "```" in text:
        text = _CODE.sub("\n", text)
    stages: list[str] = []
    if "[" in text:
        stages = [found for found in _BRACKETS.findall(text) if _STAGE.match(found)]
        text = _BRACKETS.sub(" ", text)
    found = chain(
        (_sentence(piece) for line in text.splitlines() for piece in _pieces(line)),
        (_sentence(stage, stage_direction=True) for stage in stages),
    )
    return list(islice((sentence for sentence in found if sentence.words), MAX_SENTENCES))


def words_of(text: str) -> list[str]:
    """The words in lower case, with inner apostrophes and hyphens."""
    return _WORD.findall(text.lower())


def _pieces(line: str) -> Iterator[str]:
    line = _LINE_MARK.sub("", line).strip()
    if not line or line.startswith((">", "|")):
        return
    start = 0
    for end in _END.finditer(line):
        # Only the end is looked at: a line of a thousand abbreviations has no sentence's end.
        if not _ABBREVIATION.search(line[max(start, end.start() - 8) : end.start()]):
            yield from _shortened(line[start : end.start()].strip())
            start = end.end()
    yield from _shortened(line[start:].strip())


def _shortened(piece: str) -> Iterator[str]:
    """Cut what is too long to be a sentence, between words where there are any."""
    start = 0
    while len(piece) - start > MAX_SENTENCE:
        cut = piece.rfind(" ", start + MAX_SENTENCE // 2, start + MAX_SENTENCE)
        cut = cut if cut > 0 else start + MAX_SENTENCE
        yield piece[start:cut].strip()
        start = cut
        while piece[start].isspace():
            start += 1
    if last := piece[start:].strip():
        yield last


def _sentence(text: str, *, stage_direction: bool = False) -> Sentence:
    plain = _QUOTATION.sub(_unless_title, text) if '"' in text or "“" in text else text
    # One space between words: patterns would try a long gap from each of its places.
    plain = " ".join(plain.split())
    lower = plain.lower()
    words = tuple(_WORD.findall(lower))
    question = text.rstrip("\"')”").endswith(("?", "？", "?!"))
    return Sentence(text, plain, lower, words, frozenset(words), question, stage_direction)


def _unless_title(match: re.Match[str]) -> str:
    """A short quotation in capitals is a title and stays; any other is what someone said."""
    inner = match.group()[1:-1].strip(" ,.!")
    words = inner.split()
    capitals = sum(word[0].isupper() or word[0].isdigit() for word in words)
    is_title = 0 < len(words) <= 6 and capitals * 2 > len(words) and words[0] not in ("I", "I'm")
    return inner if is_title else "…"
