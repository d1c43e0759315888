"""Long texts are found by their passages, memories stand with the message they come from."""

import threading
from itertools import pairwise

import pytest

from services.runtime.ids import new_id
from services.storage import foundation, memory_units, messages, sessions
from services.storage.memory_rows import NewMemory
from services.storage.messages import NewMessage
from services.storage.places import (
    MAX_PART,
    MEMORY,
    PLACELESS,
    kind_of,
    part_of,
    sequence_of,
    session_of,
)
from services.storage.search_items import count_unembedded, erase_items, places_of, unembedded
from services.storage.vectors import store_vectors
from services.text import units
from services.text.terms import Terms, analyze
from services.text.units import is_one_unit, position_of, units_of
from tests.store.memory_world import World, vector, world

__all__ = ["world"]  # the fixture

LONG = " ".join(f"Sentence number {n} tells of the weather in town {n}." for n in range(60))


def test_a_text_is_cut_only_if_it_has_to_be() -> None:
    (whole,) = units_of("  Two words. ")
    assert (whole.start, whole.end, whole.terms.length) == (0, 13, 2)
    assert [unit.terms.length for unit in units_of("")] == [0]
    parts = units_of(LONG)
    assert len(parts) > 2
    assert not is_one_unit(LONG)
    assert parts[0].start == 0
    assert parts[-1].end == len(LONG)
    assert all(unit.end - unit.start <= 900 for unit in parts)
    assert all(one.end >= two.start > one.start for one, two in pairwise(parts))


async def test_a_long_memory_is_analysed_off_the_event_loop(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()

    def noted(text: str) -> Terms:
        threads.add(threading.get_ident())
        return analyze(text)

    monkeypatch.setattr(units, "analyze", noted)
    await world.remember(NewMemory("fact", "Tea."))
    assert threads == {threading.get_ident()}
    threads.clear()
    await world.remember(NewMemory("fact", (LONG * 10)[:16_384]))
    assert threads
    assert threading.get_ident() not in threads


async def said(world: World, *contents: str) -> list[NewMessage]:
    """Messages of a session, not indexed."""
    owner_id = world.owner.owner_id
    async with world.owner.transaction() as connection:
        reserved = await sessions.reserve_sequences(connection, owner_id, {"s": len(contents)})
        first = reserved["s"].last - len(contents) + 1
        new = [
            NewMessage(new_id(), "s", first + at, "user", content)
            for at, content in enumerate(contents)
        ]
        await messages.insert_messages(connection, owner_id, new, "skipped")
    return new


async def places(world: World, *new: NewMemory) -> list[list[int]]:
    remembered = await world.remember(*new)
    async with world.owner.transaction() as connection:
        found = await places_of(
            connection, world.owner.owner_id, [each.item_id for each in remembered]
        )
    return [found[each.item_id] for each in remembered]


async def test_a_memory_stands_with_its_first_source(world: World) -> None:
    one, two = await said(world, "I moved to Rome", "and I like it")
    both = (two.message_id, one.message_id)
    first, second, third = await places(
        world,
        NewMemory("fact", "Lives in Rome", source_message_ids=(one.message_id,)),
        NewMemory("fact", "Likes Rome", source_message_ids=both),
        NewMemory("fact", "Moved", source_message_ids=(one.message_id,)),
    )
    (later,) = await places(world, NewMemory("fact", "Moves", source_message_ids=both[1:]))
    found = [
        (kind_of(place), session_of(place), sequence_of(place), part_of(place))
        for (place,) in (first, third, later, second)
    ]
    assert found == [(MEMORY, 1, 1, 0), (MEMORY, 1, 1, 1), (MEMORY, 1, 1, 2), (MEMORY, 1, 2, 0)]


async def test_a_memory_without_a_source_has_a_place_of_its_own(world: World) -> None:
    made = await places(
        world,
        NewMemory("fact", "tea"),
        NewMemory("fact", "from a message that is gone", source_message_ids=(new_id(),)),
        NewMemory("fact", LONG),
    )
    every = [place for each in made for place in each]
    assert {kind_of(place) for place in every} == {PLACELESS}
    assert len(set(every)) == len(every) == 2 + len(units_of(LONG))
    assert (await places(world, NewMemory("fact", "pot")))[0][0] > max(every)


async def test_a_message_with_no_room_left_sends_its_memories_elsewhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_units, "MAX_PART", 1)
    (message,) = await said(world, "a lot")
    source = (message.message_id,)
    made = await places(
        world, *(NewMemory("fact", f"fact {n}", source_message_ids=source) for n in range(4))
    )
    assert [kind_of(place) for (place,) in made] == [MEMORY, MEMORY, PLACELESS, PLACELESS]


async def test_a_long_memory_is_found_by_each_of_its_passages(world: World) -> None:
    memory = NewMemory("fact", LONG, vector=vector(0))
    assert memory.awaits_vectors
    assert not NewMemory("fact", "short", vector=vector(0)).awaits_vectors
    (remembered,) = await world.remember(memory)
    owner_id = world.owner.owner_id
    async with world.writing() as connection:
        pending = await unembedded(connection, owner_id, 100)
        assert [each.text for each in pending] == [
            LONG[unit.start : unit.end] for unit in units_of(LONG)
        ]
        space = await foundation.active_space(connection)
        stored = {each.place: vector(1 + at) for at, each in enumerate(pending)}
        assert await store_vectors(connection, owner_id, space, stored) == len(pending)
    assert await world.found("town 59") == [remembered.item_id]
    assert await world.found("unheard", along=len(pending)) == [remembered.item_id]
    changed = await world.update(remembered.memory_id, NewMemory("todo", LONG))
    assert await world.found("unheard", along=len(pending)) == [changed.item_id]
    async with world.writing() as connection:
        assert await count_unembedded(connection, owner_id) == 0
        await erase_items(connection, owner_id, [remembered.item_id, changed.item_id])
        for table in ("search_items", "postings", "vectors_1", "codes_1"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0


@pytest.mark.parametrize(
    "sentence",
    ["今" * 99 + "。", "😀" * 112, "# 标题\n" + "今" * 60 + "\n"],
    ids=["sentences", "emoji", "headings"],
)
def test_the_longest_dense_message_has_places_for_its_passages(sentence: str) -> None:
    text = (sentence * 400_000)[:400_000]
    parts = units_of(text)
    assert 500 < len(parts) <= MAX_PART + 1
    assert parts[-1].end >= 400_000 - 1
    assert not any(text[one.end : two.start].strip() for one, two in pairwise(parts))
    assert position_of(text, parts[7].start) == 7
