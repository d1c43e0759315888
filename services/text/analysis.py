"""Texts analysed for the search index without holding up the event loop."""

from collections.abc import Sequence

from services.runtime.turns import Steps, in_turns
from services.text.units import Unit, units_in_steps, units_of

# About 2 ms of analysis: more text than that is analysed in turns with what others bring.
_ON_THE_LOOP_CHARACTERS = 8_192


async def analyze_all(texts: Sequence[str]) -> list[tuple[Unit, ...]]:
    """The units of each text. A call that ends meanwhile analyses no further passage."""
    if sum(map(len, texts)) <= _ON_THE_LOOP_CHARACTERS:
        return [units_of(text) for text in texts]
    return await in_turns(_one_by_one(texts))


def _one_by_one(texts: Sequence[str]) -> Steps[list[tuple[Unit, ...]]]:
    units: list[tuple[Unit, ...]] = []
    for text in texts:
        units.append((yield from units_in_steps(text)))
        yield
    return units
