"""Where things stand: neighbours, anchors, sessions and their bounds."""

import numpy as np

from services.storage.places import (
    MAX_SEQUENCE,
    chunk_place,
    memory_place,
    message_place,
    placeless,
)
from services.vector.ranking.evidence import memories_at
from services.vector.ranking.pool import BroughtUp, highest
from services.vector.ranking.surroundings import (
    anchors_of,
    ends_of,
    neighbours,
    session_bounds,
    sessions_of,
)
from services.vector.ranking.words import grouped, things_of


def places(*each: int) -> np.ndarray:
    return np.array(each, np.int64)


def test_neighbours_are_of_the_same_session_or_file() -> None:
    anchors = places(message_place(3, 5, 0), message_place(3, MAX_SEQUENCE, 0), chunk_place(3, 0))
    after = [message_place(3, 6, 0), -1, chunk_place(3, 1)]
    assert neighbours(anchors, 1).tolist() == after
    before = [message_place(3, 4, 0), message_place(3, MAX_SEQUENCE - 1, 0), -1]
    assert neighbours(anchors, -1).tolist() == before


def test_a_memory_stands_with_its_message_unless_it_has_none() -> None:
    things = places(memory_place(2, 7, 4), placeless(9), message_place(2, 7, 0))
    anchors = anchors_of(things)
    assert anchors.tolist() == [message_place(2, 7, 0), placeless(9), message_place(2, 7, 0)]
    assert neighbours(anchors, 1)[1] == -1
    sessions = sessions_of(anchors)
    assert sessions[0] == sessions[2]
    assert sessions[1] == -1


def test_a_session_is_bounded_by_its_first_and_last_place() -> None:
    things = places(message_place(4, 0, 0), message_place(4, MAX_SEQUENCE, 2047))
    starts, ends = session_bounds(sessions_of(things))
    assert starts.tolist() == [message_place(4, 0, 0)] * 2
    assert ends.tolist() == [message_place(4, MAX_SEQUENCE, 2047)] * 2


def test_files_and_sessions_of_one_number_are_different() -> None:
    sessions = sessions_of(places(message_place(5, 1, 0), chunk_place(5, 1)))
    assert sessions[0] != sessions[1]


def test_the_passages_of_a_message_are_one_thing() -> None:
    units = places(message_place(1, 2, 0), message_place(1, 2, 9), memory_place(1, 2, 3))
    things = [message_place(1, 2, 0), message_place(1, 2, 0), memory_place(1, 2, 3)]
    assert things_of(units).tolist() == things
    ends = [message_place(1, 2, 2047), memory_place(1, 2, 3)]
    assert ends_of(places(*things[1:])).tolist() == ends


def test_the_memories_of_a_message_are_one_range_and_others_have_none() -> None:
    starts, ends = memories_at(places(message_place(1, 2, 0), chunk_place(1, 2)))
    assert (starts[0], ends[0]) == (memory_place(1, 2, 0), memory_place(1, 2, 2047))
    assert starts[1] > ends[1]


def test_the_best_unit_stands_for_its_thing() -> None:
    units = places(*(message_place(1, 2, part) for part in range(3)), chunk_place(1, 1))
    brought = BroughtUp(units, np.array([0.2, 0.9, 0.9, 0.1]))
    best = brought.best_units(places(message_place(1, 2, 0), chunk_place(1, 1)))
    assert best.tolist() == [message_place(1, 2, 1), chunk_place(1, 1)]


def test_the_highest_values_come_in_order_and_equals_by_place() -> None:
    values = np.array([1.0, 3, 2, 3, 2, 2])
    assert highest(values, 4).tolist() == [1, 3, 2, 4]
    assert highest(values, 9).tolist() == [1, 3, 2, 4, 5, 0]
    assert highest(np.empty(0), 3).tolist() == []


def test_grouping_says_where_each_number_came_from() -> None:
    numbers = places(5, 7, 9, 5, 9, 1)
    different, first, which = grouped(numbers)
    assert different.tolist() == [1, 5, 7, 9]
    assert first.tolist() == [5, 0, 1, 2]
    assert different[which].tolist() == numbers.tolist()
    assert [len(each) for each in grouped(places())] == [0, 0, 0]
