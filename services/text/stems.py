"""Words cut to their stems, so that "painting" finds "painted".

The language of a word is taken from its script alone, which is cheap and needs no context:
Latin is stemmed as English (Porter 2), Cyrillic as Russian, and so on. A stem only has to
be the same on both sides, when a text is stored and when it is asked for; it need not be
right for a French word stemmed by English rules.
"""

import threading
import unicodedata
from bisect import bisect_right
from functools import lru_cache
from typing import Protocol, cast

import snowballstemmer

# First code points of ranges, and the language whose stemmer serves the range from there
# on; None where there is none. Sorted, looked up by bisection.
_RANGES: tuple[tuple[int, str | None], ...] = (
    (0x0000, "english"),
    (0x0250, None),
    (0x0370, "greek"),
    (0x0400, "russian"),
    (0x0530, "armenian"),
    (0x0590, None),
    (0x0600, "arabic"),
    (0x0700, None),
    (0x0900, "hindi"),
    (0x0980, None),
    (0x0B80, "tamil"),
    (0x0C00, None),
    (0x1E00, "english"),
    (0x1F00, "greek"),
    (0x2000, None),
)
_STARTS = tuple(start for start, _ in _RANGES)

# A word's stem is asked for again and again: 65,536 words are the living vocabulary of many
# users, at about 10 MB.
_CACHED_WORDS = 65_536


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...  # noqa: N802 - the library's name


class _ThreadStemmers(threading.local):
    """One set of stemmers per thread: a Snowball stemmer keeps the word in itself."""

    def __init__(self) -> None:
        self.by_language: dict[str, _Stemmer] = {}

    def of(self, language: str) -> _Stemmer:
        if language not in self.by_language:
            self.by_language[language] = cast(_Stemmer, snowballstemmer.stemmer(language))
        return self.by_language[language]


_stemmers = _ThreadStemmers()


@lru_cache(maxsize=_CACHED_WORDS)
def stem(word: str) -> str:
    """Return the stem of one case-folded word; the word itself where none is known.

    Latin letters lose their accents ("café" and "cafe" are one word). Words with a digit
    in them stay whole.
    """
    language = _RANGES[bisect_right(_STARTS, ord(word[0])) - 1][1]
    if language == "english" and not word.isascii():
        word = _without_accents(word)
    if language is None or any(map(str.isdigit, word)):
        return word
    return _stemmers.of(language).stemWord(word) or word


def _without_accents(word: str) -> str:
    letters = unicodedata.normalize("NFKD", word)
    return "".join(each for each in letters if not unicodedata.combining(each)) or word
