"""Places: where a unit of the search index stands in what a user said, wrote and was told.

A unit is what is indexed: a passage of a message, of a memory's revision, or of a file.
Its place is one positive number of 63 bits,

    kind (2) | session (28) | sequence (22) | part (11)

so that the order of places is the order of what was said, and neighbours in a session are
one sequence apart. `session` is `sessions.number`, or `documents.number` for chunks, whose
sequence is their position. A memory stands with its first source message; `part` counts
the passages of a message, and of all memories of one message. A memory without a source
has the kind PLACELESS and a running number in the other bits.

Every function takes one number or a numpy array of int64, and answers alike.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

MESSAGE = 0
MEMORY = 1
CHUNK = 2
PLACELESS = 3

MAX_SESSION = 2**28 - 1
MAX_SEQUENCE = 2**22 - 1
MAX_PART = 2**11 - 1
MAX_PLACELESS = 2**61 - 1

_KIND_SHIFT, _SESSION_SHIFT, _SEQUENCE_SHIFT = 61, 33, 11

Number = TypeVar("Number", int, NDArray[np.int64])


def message_place(session: Number, sequence: Number, part: Number) -> Number:
    """The place of a message's passage. ValueError if a number is out of its range."""
    return _place(MESSAGE, session, sequence, part)


def memory_place(session: Number, sequence: Number, part: Number) -> Number:
    """The place of a memory's passage, by its first source message. ValueError as above."""
    return _place(MEMORY, session, sequence, part)


def chunk_place(document: Number, position: Number) -> Number:
    """The place of a file's chunk. ValueError if a number is out of its range."""
    return _place(CHUNK, document, position, position * 0)


def placeless(number: Number) -> Number:
    """The place of a memory without a source, by a running number. ValueError as above."""
    _check("number", number, MAX_PLACELESS)
    return number + (PLACELESS << _KIND_SHIFT)


def kind_of(place: Number) -> Number:
    """MESSAGE, MEMORY, CHUNK or PLACELESS."""
    return place >> _KIND_SHIFT


def session_of(place: Number) -> Number:
    """The number of the session, or of a chunk's document. Means nothing where PLACELESS."""
    return (place >> _SESSION_SHIFT) & MAX_SESSION


def sequence_of(place: Number) -> Number:
    """The message's sequence in its session, or a chunk's position. Nothing where PLACELESS."""
    return (place >> _SEQUENCE_SHIFT) & MAX_SEQUENCE


def part_of(place: Number) -> Number:
    """Which of the units of its sequence it is, from 0. Means nothing where PLACELESS."""
    return place & MAX_PART


def kind_range(kind: int) -> tuple[int, int]:
    """The places of one kind: from the first (inclusive) to the last (inclusive)."""
    return kind << _KIND_SHIFT, (kind << _KIND_SHIFT) + MAX_PLACELESS


def _place(kind: int, session: Number, sequence: Number, part: Number) -> Number:
    _check("session", session, MAX_SESSION)
    _check("sequence", sequence, MAX_SEQUENCE)
    _check("part", part, MAX_PART)
    return (
        (session << _SESSION_SHIFT) + (sequence << _SEQUENCE_SHIFT) + part + (kind << _KIND_SHIFT)
    )


def _check(name: str, number: Any, largest: int) -> None:
    numbers = np.asarray(number)
    if numbers.size and (numbers.min() < 0 or numbers.max() > largest):
        raise ValueError(f"a place's {name} is between 0 and {largest}")
