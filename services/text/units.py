"""A text as the search index takes it: passages, each analysed by itself."""

from dataclasses import dataclass

from services.text.passages import DEFAULT_MAX_CHARS, Passage, split_passages
from services.text.terms import Terms, analyze
from services.text.traits import traits_of

MOST_UNITS = 2_048
"""Of one text: what places (services/storage/places.py) can tell apart."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One passage: text[start:end] in characters, its terms, and what it is like (bit flags)."""

    start: int
    end: int
    terms: Terms
    traits: int


def units_of(text: str) -> tuple[Unit, ...]:
    """Cuts and analyses a text. One that fits a passage is one unit, from 0 to its length."""
    passages = _passages(text)
    if len(passages) > 1:
        return tuple(_unit(each.text, each.start, each.end) for each in passages)
    return (unit_of(text),)


def is_one_unit(text: str) -> bool:
    """Whether `units_of` would leave the text whole."""
    return len(_passages(text)) <= 1


def unit_of(text: str) -> Unit:
    """Analyses a text that is one passage, however long it is."""
    return _unit(text, 0, len(text))


def position_of(text: str, start: int) -> int:
    """How many of a text's units begin before `start`: the number, from 0, of the one there."""
    return sum(passage.start < start for passage in _passages(text))


def _passages(text: str) -> tuple[Passage, ...]:
    """The passages of a text that needs several; the longest dense texts get larger ones."""
    if len(text) <= DEFAULT_MAX_CHARS:
        return ()
    size = DEFAULT_MAX_CHARS
    passages = split_passages(text)
    while len(passages) > MOST_UNITS:
        size *= 2
        passages = split_passages(text, max_chars=size)
    return passages


def _unit(text: str, start: int, end: int) -> Unit:
    return Unit(start, end, analyze(text), traits_of(text))
