"""Which stretches of a text may be names: pure text, no look-up."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple, Protocol, TypeVar

import regex

from services.storage.relations import node_id_of
from services.text.stop_words import STOP_WORDS

MAX_WORDS = 5
MAX_CANDIDATES = 4_000
FIRST_PERSON = frozenset(
    {"i", "me", "my", "mine", "myself", "we", "our", "ours", "ourselves", "我", "我们"}
)

_DENSE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}ー"
_LETTER = rf"[\w--[{_DENSE}]]"
_TOKEN = regex.compile(rf"[{_DENSE}]+|{_LETTER}+(?:['’]{_LETTER}+)*['’]?", regex.V1)
_IS_DENSE = regex.compile(rf"[{_DENSE}]+")
_PLAIN_TOKEN = re.compile(r"\w+(?:'\w+)*'?", re.ASCII)  # the same, of a text that is ASCII
_POSSESSIVE = regex.compile(r"['’](?:s|S)?$")
_CONTRACTED = regex.compile(r"^(i|we)['’]\w+$")
_FIRST_PERSON_DENSE = regex.compile(r"我们?")
_SECOND_PERSON = regex.compile(
    r"\b(?:you|your|yours|yourself|yourselves)\b|[你您]", regex.IGNORECASE
)
# Names in scripts without spaces: every run of 2 to 6 characters may be one.
_SHORTEST, _LONGEST = 2, 6


class Mention(NamedTuple):
    """A stretch [start, end) of a text that may be a name, and the id such a name has."""

    start: int
    end: int
    name: str
    node_id: str


class _Placed(Protocol):
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


Place = TypeVar("Place", bound=_Placed)


def names_the_user(text: str) -> bool:
    """Whether the text says "I", "my", "we" and the like."""
    if text.isascii():
        words = set(_PLAIN_TOKEN.findall(text.lower()))
        return not FIRST_PERSON.isdisjoint(words) or any(
            _CONTRACTED.match(word) for word in words if "'" in word
        )
    for token in _TOKEN.finditer(text):
        word = token[0].casefold()
        if word in FIRST_PERSON or _CONTRACTED.match(word):
            return True
        if _IS_DENSE.fullmatch(word) and _FIRST_PERSON_DENSE.search(word):
            return True
    return False


def speaks_to_another(text: str) -> bool:
    """Whether the text says "you", "your" and the like: it need not be about the user then."""
    return _SECOND_PERSON.search(text) is not None


def mentions(text: str) -> list[Mention]:
    """Every stretch that may be a name, from the text's start on, 4,000 at most.

    One to five words, with and without a possessive ending; in scripts written without spaces
    also every two to six characters in a row. A word that is only grammar is no name by itself,
    unless it is written like one within a sentence ("Will").
    """
    if text.isascii():
        return list(islice(_plain_mentions(text), MAX_CANDIDATES))
    found: dict[tuple[int, int], Mention] = {}
    for start, end in _stretches(text):
        name = " ".join(text[start:end].split())
        node_id = node_id_of(name)
        if node_id:
            found[start, end] = Mention(start, end, name, node_id)
        if len(found) >= MAX_CANDIDATES:
            break
    return list(found.values())


def longest(places: Iterable[Place]) -> list[Place]:
    """Of overlapping places the longest; of equally long ones the first."""
    ordered = sorted(places, key=lambda each: (each.start - each.end, each.start))
    covered = bytearray(max((each.end for each in ordered), default=0))
    taken = []
    for place in ordered:
        if not any(covered[place.start : place.end]):
            covered[place.start : place.end] = b"\1" * (place.end - place.start)
            taken.append(place)
    return sorted(taken, key=lambda each: each.start)


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    tokens = list(_TOKEN.finditer(text))
    for index, first in enumerate(tokens):
        for last in tokens[index : index + MAX_WORDS]:
            for end in _ends(last):
                if last is not first or not _is_grammar(text, first.start(), end):
                    yield first.start(), end
        if _IS_DENSE.fullmatch(first[0]):
            for start in range(first.start(), first.end() - _SHORTEST + 1):
                for end in range(start + _SHORTEST, min(start + _LONGEST, first.end()) + 1):
                    yield start, end


def _plain_mentions(text: str) -> Iterator[Mention]:
    """`mentions` of a text that is ASCII, each word read once: most texts are."""
    tokens = list(_PLAIN_TOKEN.finditer(text))
    endings = [_plain_endings(token) for token in tokens]
    tidy = " ".join(text.split()) == text
    for index, first in enumerate(tokens):
        start, before = first.start(), ""
        for last in range(index, min(index + MAX_WORDS, len(tokens))):
            for end, node_id in endings[last]:
                if last == index and _is_grammar(text, start, end):
                    continue
                name = text[start:end]
                if not tidy:
                    name = " ".join(name.split())
                yield Mention(start, end, name, (before + node_id).strip("_") or name.lower())
            before += endings[last][0][1] + "_"


def _plain_endings(token: "re.Match[str]") -> list[tuple[int, str]]:
    """Where a name that ends with this word may end, and what the word gives to its id."""
    start, word = token.start(), token[0]
    ends = [len(word)]
    folded = word.lower()
    if folded.endswith(("'s", "'")):
        ends.append(folded.rindex("'"))
    return [(start + end, folded[:end].rstrip("'").replace("'", "_")) for end in ends]


def _ends(token: "regex.Match[str]") -> Iterator[int]:
    """Where a name that ends with this word may end."""
    yield token.end()
    possessive = _POSSESSIVE.search(token[0])
    if possessive and possessive.start():
        yield token.start() + possessive.start()


def _is_grammar(text: str, start: int, end: int) -> bool:
    word = text[start:end]
    if word.casefold().replace("'", "").replace("’", "") not in STOP_WORDS:
        return False
    before = text[:start].rstrip()
    inside = bool(before) and before[-1] not in ".!?…\n"
    return not (word.istitle() and inside and word.casefold() not in FIRST_PERSON)
