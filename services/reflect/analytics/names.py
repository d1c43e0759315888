"""Whether a text names an entity: the name as a whole, in any case."""

from dataclasses import dataclass

import regex

from services.text.normal_form import nfkc
from services.text.terms import UNSPACED, telling_terms

_LETTER = rf"[\w--[{UNSPACED}]]"
_IS_LETTER = regex.compile(_LETTER, regex.V1)
_APOSTROPHES = str.maketrans("’‘ʼ", "'''")


@dataclass(frozen=True, slots=True)
class Name:
    """One name of an entity. `terms` find the texts that may have it; none: only reading does."""

    text: str
    terms: tuple[str, ...]
    _pattern: "regex.Pattern[str]"

    @classmethod
    def of(cls, text: str) -> "Name":
        """The name that is written so; ValueError if it is blank."""
        words = _folded(text).split()
        if not words:
            raise ValueError("a name is not blank")
        inner = r"\s+".join(map(regex.escape, words))
        # Where letters stand without spaces, names have no edges that could be seen.
        before = rf"(?<!{_LETTER})" if _IS_LETTER.match(words[0][0]) else ""
        after = rf"(?!{_LETTER})" if _IS_LETTER.match(words[-1][-1]) else ""
        return cls(
            " ".join(text.split()),
            telling_terms(text),
            regex.compile(before + inner + after, regex.V1),
        )

    def is_in(self, text: str) -> bool:
        """Whether the text has it as a whole."""
        return self._pattern.search(_folded(text)) is not None


def _folded(text: str) -> str:
    return nfkc(text).casefold().translate(_APOSTROPHES)
