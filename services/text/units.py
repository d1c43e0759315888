"""A text as the search index takes it: passages, each analysed by itself."""

from dataclasses import dataclass

from services.runtime.turns import Steps, at_once
from services.text.passages import DEFAULT_MAX_CHARS, Passage, passages_in
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
    if len(text) <= DEFAULT_MAX_CHARS:
        return (unit_of(text),)
    return at_once(units_in_steps(text))


def units_in_steps(text: str) -> Steps[tuple[Unit, ...]]:
    """`units_of`, passage by passage."""
    passages = yield from _passages(text)
    if len(passages) <= 1:
        return (unit_of(text),)
    units: list[Unit] = []
    for each in passages:
        units.append(_unit(each.text, each.start, each.end))
        yield
    return tuple(units)


def is_one_unit(text: str) -> bool:
    """Whether `units_of` would leave the text whole."""
    return len(at_once(_passages(text))) <= 1


def unit_of(text: str) -> Unit:
    """Analyses a text that is one passage, however long it is."""
    return _unit(text, 0, len(text))


def position_of(text: str, start: int) -> int:
    """How many of a text's units begin before `start`: the number, from 0, of the one there."""
    return sum(passage.start < start for passage in at_once(_passages(text)))


def _passages(text: str) -> Steps[list[Passage]]:
    """The passages of a text that needs several; the longest dense texts get larger ones."""
    passages: list[Passage] = []
    size = DEFAULT_MAX_CHARS
    if len(text) <= size:
        return passages
    while True:
        for passage in passages_in(text, max_chars=size):
            passages.append(passage)
            yield
            if len(passages) > MOST_UNITS:
                break
        else:
            return passages
        passages.clear()
        size *= 2


def _unit(text: str, start: int, end: int) -> Unit:
    return Unit(start, end, analyze(text), traits_of(text))
