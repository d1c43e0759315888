"""The terms of a text: what lexical search (BM25) indexes and what it looks up.

One analysis serves both sides, for a term is found only if storing and asking agree:

1. Unicode NFKC and case folding; curly apostrophes become straight ones.
2. Segmentation into words, numbers ("3.14", "7:30", "v1.2", "1,000" as 1000) and the
   names "c++", "c#". Underscores, hyphens and dots between letters separate.
3. Contractions and possessives lose their ending: "Alice's" is alice, "we'll" is we.
4. Stop words go, unless nothing else is in the text.
5. Stems (`services.text.stems`).

Scripts written without spaces (Han, kana, Hangul, Thai, Lao, Khmer, Myanmar) become
overlapping pairs of characters; a character that stands alone is a term by itself.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from services.text.normal_form import nfkc
from services.text.stems import stem
from services.text.stop_words import STOP_WORDS

MAX_TERM_CHARS = 64
"""Longer words are cut there, on both sides alike, so they still find themselves."""

MAX_TERMS = 16_384
"""Different terms kept of one text. A text of 32 KiB never reaches it."""

MAX_QUERY_TERMS = 64
"""Different terms kept of one query: each is an index lookup."""

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc"
"""Scripts without spaces between words: the inside of a character class (of `regex`)."""
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{UNSPACED}]]"
_WORDS = regex.compile(
    rf"""
      (?<unspaced> [{UNSPACED}]+ )
    | (?<number> \b v? \p{{Nd}}+ (?: [.,:] \p{{Nd}}+ )+ )
    | (?<name> \b[cf] (?: \+\+ | \# ) )
    | (?<word> {_LETTER}+ (?: ' {_LETTER}+ )* )
    """,
    regex.VERSION1 | regex.VERBOSE,
)
# ASCII text needs no Unicode classes, and is the bulk: the same words, twice as fast.
_ASCII_WORDS = regex.compile(
    r"""
      (?<unspaced> (?!) )
    | (?<number> \b v? [0-9]+ (?: [.,:] [0-9]+ )+ )
    | (?<name> \b[cf] (?: \+\+ | \# ) )
    | (?<word> [a-z0-9]+ (?: ' [a-z0-9]+ )* )
    """,
    regex.VERSION1 | regex.VERBOSE | regex.ASCII,
)
_THOUSANDS = regex.compile(r"\p{Nd}{1,3}(?:,\p{Nd}{3})+(?:\.\p{Nd}+)?", regex.VERSION1)
_UNSPACED_ONE = regex.compile(rf"[{UNSPACED}]", regex.VERSION1)
_APOSTROPHES = str.maketrans("’‘ʼ＇", "''''")
_ENDINGS = frozenset({"s", "m", "re", "ve", "ll", "d"})
# French and Italian put the article in front: l'homme, d'accord, qu'il.
_ELISIONS = frozenset({"l", "d", "j", "m", "t", "s", "n", "c", "qu", "dell", "un"})


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one text.

    `frequencies` says how often each occurs (at least once); `length` is the sum of them,
    the document length of BM25. Terms hold no whitespace and no NUL.
    """

    frequencies: dict[str, int]
    length: int


def analyze(text: str) -> Terms:
    """Return the terms of a text to be stored. A text without a word has none."""
    counted = Counter(_terms(text))
    if len(counted) > MAX_TERMS:
        counted = Counter(dict(counted.most_common(MAX_TERMS)))
    return Terms(dict(counted), counted.total())


def query_terms(text: str, limit: int = MAX_QUERY_TERMS) -> tuple[str, ...]:
    """Return the different terms to look up, in the order they are asked, at most `limit`.

    A query of stop words only ("who is he?") keeps them; they find texts that likewise
    consist of nothing else.
    """
    return tuple(dict.fromkeys(_terms(text)))[:limit]


def telling_terms(text: str) -> tuple[str, ...]:
    """Return the terms that every text with these words in a row is stored under.

    None for what is only grammar, which texts are stored without, and none for single
    characters of scripts without spaces, which are stored in pairs with their neighbours.
    """
    telling = [
        stem(word)
        for word in _words(text)
        if word not in STOP_WORDS and not (len(word) == 1 and _UNSPACED_ONE.fullmatch(word))
    ]
    return tuple(dict.fromkeys(telling))


def _terms(text: str) -> list[str]:
    words = _words(text)
    telling = [word for word in words if word not in STOP_WORDS] or words
    return [stem(word) for word in telling]


def _words(text: str) -> list[str]:
    """The words of the text, case-folded, stop words still among them."""
    if text.isascii():
        pattern, folded = _ASCII_WORDS, text.lower()
    else:
        pattern, folded = _WORDS, _folded(text)
    words: list[str] = []
    for unspaced, number, name, word in pattern.findall(folded):
        if word:
            # The common case first, and without a call.
            words.append((_bare(word) if "'" in word else word)[:MAX_TERM_CHARS])
        elif unspaced:
            words.extend(_pairs(unspaced))
        elif number:
            words.append(_plain_number(number)[:MAX_TERM_CHARS])
        else:
            words.append(name)
    return words


def _folded(text: str) -> str:
    # Case folding can undo the normal form ("ΐ"), hence twice.
    return nfkc(nfkc(text).casefold()).translate(_APOSTROPHES)


def _bare(word: str) -> str:
    """A word without its contraction: alice's, l'homme, o'brien -> alice, homme, obrien."""
    parts = word.split("'")
    if len(parts) > 1 and parts[-1] in _ENDINGS:
        parts.pop()
    if len(parts) > 1 and parts[0] in _ELISIONS:
        parts.pop(0)
    return "".join(parts)


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for start in range(len(run) - 1):
        yield run[start : start + 2]


def _plain_number(number: str) -> str:
    return number.replace(",", "") if _THOUSANDS.fullmatch(number) else number
