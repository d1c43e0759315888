"""Places order what was said, and give back what they are made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.storage import places
from services.storage.search import Filter

SESSIONS = st.integers(0, places.MAX_SESSION)
SEQUENCES = st.integers(0, places.MAX_SEQUENCE)
PARTS = st.integers(0, places.MAX_PART)


@given(SESSIONS, SEQUENCES, PARTS)
def test_a_place_gives_back_what_it_is_made_of(session: int, sequence: int, part: int) -> None:
    made = {
        places.MESSAGE: places.message_place(session, sequence, part),
        places.MEMORY: places.memory_place(session, sequence, part),
    }
    for kind, place in made.items():
        assert 0 <= place < 2**63
        assert places.kind_of(place) == kind
        assert places.session_of(place) == session
        assert places.sequence_of(place) == sequence
        assert places.part_of(place) == part
        assert places.kind_range(kind)[0] <= place <= places.kind_range(kind)[1]
    chunk = places.chunk_place(session, sequence)
    assert (places.session_of(chunk), places.sequence_of(chunk)) == (session, sequence)
    assert places.kind_of(chunk) == places.CHUNK


@given(st.lists(st.tuples(SESSIONS, SEQUENCES, PARTS), min_size=1))
def test_order_is_the_order_of_what_was_said(said: list[tuple[int, int, int]]) -> None:
    assert [places.message_place(*each) for each in sorted(said)] == sorted(
        places.message_place(*each) for each in said
    )


@given(st.lists(st.tuples(SESSIONS, SEQUENCES, PARTS), min_size=1))
def test_arrays_are_answered_like_numbers(said: list[tuple[int, int, int]]) -> None:
    columns = [np.array(column, np.int64) for column in zip(*said, strict=True)]
    made = places.memory_place(*columns)
    assert made.dtype == np.int64
    assert made.tolist() == [places.memory_place(*each) for each in said]
    for part in (places.kind_of, places.session_of, places.sequence_of, places.part_of):
        assert part(made).tolist() == [part(place) for place in made.tolist()]


@pytest.mark.parametrize(
    "numbers",
    [(-1, 0, 0), (2**28, 0, 0), (0, 2**22, 0), (0, 0, 2**11), (0, -1, 0), (0, 0, -1)],
)
def test_what_does_not_fit_is_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="between 0 and"):
        places.message_place(*numbers)
    with pytest.raises(ValueError, match="between 0 and"):
        places.memory_place(*(np.array([number, 0]) for number in numbers))


def test_what_has_no_source_stands_behind_all_else() -> None:
    largest = places.chunk_place(places.MAX_SESSION, places.MAX_SEQUENCE)
    assert largest < places.placeless(0) < places.placeless(places.MAX_PLACELESS) == 2**63 - 1
    assert places.kind_of(places.placeless(7)) == places.PLACELESS


def test_kinds_are_as_few_ranges_as_they_can_be() -> None:
    everything = Filter(kinds=("chunk", "memory", "message"))
    assert everything.spans == ((0, 2**63 - 1),)
    assert Filter(kinds=("message", "memory")).spans == ((0, 2**62 - 1), (3 * 2**61, 2**63 - 1))
    assert Filter(kinds=("memory", "chunk")).spans == ((2**61, 2**63 - 1),)
    assert len(Filter(kinds=("message", "chunk")).spans) == 2
