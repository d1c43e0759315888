"""How memories come to be, are refreshed, listed, taken back and erased."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from services.runtime.ids import new_id
from services.storage import foundation, memories
from services.storage.memories import (
    MemoryFilter,
    get_memory,
    list_memories,
    list_revisions,
    retract_memory,
)
from services.storage.memory_accesses import count_accesses, list_accesses
from services.storage.memory_rows import Emotion, NewMemory
from services.storage.search_items import (
    count_unembedded,
    erase_items,
    places_of,
    unembedded,
)
from services.storage.vectors import store_vectors
from tests.conftest import TestDatabase
from tests.store.memory_world import JULY, JUNE, MAY, World, vector, world
from tests.store.owners import new_owner

__all__ = ["world"]  # the fixture


async def test_a_memory_is_read_as_it_was_given(world: World) -> None:
    given = NewMemory(
        "episodic",
        "Had an interview at Google",
        importance=8,
        confidence=0.9,
        emotion=Emotion(0.3, 0.7, "nervous"),
        slot="",
        category="career",
        tags=("job", "google"),
        entities=("Google",),
        metadata={"channel": "phone", "rounds": [1, 2]},
        source_message_ids=(new_id(),),
        source_memory_ids=(new_id(), new_id()),
        extraction_id=new_id(),
        event_at=MAY,
        vector=vector(0),
    )
    (remembered,) = await world.remember(given)
    row = await world.get(remembered.memory_id)
    assert row is not None
    for name in set(NewMemory.__dataclass_fields__) - {"vector"}:
        assert getattr(row, name) == getattr(given, name), name
    assert (row.item_id, row.revision, row.retracted_at) == (remembered.item_id, 1, None)
    assert await world.found("interview") == [row.item_id]
    assert await world.found("unheard", along=0) == [row.item_id]


async def test_what_is_said_again_is_refreshed(world: World) -> None:
    first, second, third = new_id(), new_id(), new_id()
    (added,) = await world.remember(
        NewMemory("fact", "Plays the cello", importance=7, source_message_ids=(first, second))
    )
    before = await world.get(added.memory_id)
    (again,) = await world.remember(
        NewMemory("fact", "Plays the cello", importance=4, source_message_ids=(second, third))
    )
    (other_type,) = await world.remember(NewMemory("preference", "Plays the cello"))
    after = await world.get(added.memory_id)
    assert before is not None
    assert after is not None
    assert (again.outcome, again.memory_id, again.item_id) == (
        "refreshed", added.memory_id, added.item_id,
    )  # fmt: skip
    assert other_type.outcome == "added"
    assert after.importance == 7
    assert after.source_message_ids == (first, second, third)
    assert after.last_refreshed_at > before.last_refreshed_at
    assert after.revision == 1


@pytest.mark.parametrize(
    ("old", "new", "kept"), [(None, 3, None), (None, 8, 8), (3, None, 3), (6, 8, 8), (8, 6, 8)]
)
async def test_refreshing_keeps_the_higher_importance(
    world: World, old: int | None, new: int | None, kept: int | None
) -> None:
    """Unset counts as 5."""
    (added, _) = await world.remember(
        NewMemory("fact", "tea", importance=old), NewMemory("fact", "tea", importance=new)
    )
    row = await world.get(added.memory_id)
    assert row is not None
    assert row.importance == kept


async def test_the_same_episode_at_another_time_is_another(world: World) -> None:
    outcomes = await world.remember(
        NewMemory("episodic", "Went to the gym", event_at=MAY),
        NewMemory("episodic", "Went to the gym", event_at=JUNE),
        NewMemory("episodic", "Went to the gym", event_at=MAY),
        NewMemory("fact", "Likes tea", event_at=MAY),
        NewMemory("fact", "Likes tea", event_at=JUNE),
    )
    assert [each.outcome for each in outcomes] == [
        "added", "added", "refreshed", "added", "refreshed",
    ]  # fmt: skip


async def test_a_refresh_brings_the_vector_that_was_missing(world: World) -> None:
    (added,) = await world.remember(NewMemory("fact", "tea"))
    assert await world.found("unheard", along=3) == []
    await world.remember(NewMemory("fact", "tea", vector=vector(3)))
    assert await world.found("unheard", along=3) == [added.item_id]


async def test_what_is_taken_back_stays_readable_as_of_its_time(world: World) -> None:
    (added,) = await world.remember(NewMemory("fact", "tea", vector=vector(1)))
    first = await world.get(added.memory_id)
    assert first is not None
    async with world.writing() as connection:
        assert await retract_memory(connection, world.owner.owner_id, added.memory_id)
    async with world.writing() as connection:
        assert not await retract_memory(connection, world.owner.owner_id, added.memory_id)
    row = await world.get(added.memory_id)
    assert row is not None
    assert row.retracted_reason == "deleted"
    assert await world.present() == []
    assert await world.present(as_of=first.recorded_at) == ["tea"]
    assert await world.found("tea", along=1) == []
    (again,) = await world.remember(NewMemory("fact", "tea"))
    assert again.outcome == "added"
    assert again.memory_id != added.memory_id


async def test_lists_are_paged_by_when_a_memory_was_first_stored(world: World) -> None:
    await world.remember(*(NewMemory("fact", f"fact {number}") for number in range(5)))
    (old,) = await world.remember(NewMemory("todo", "buy tea"))
    await world.remember(*(NewMemory("fact", f"fact {number}") for number in range(5, 8)))
    await world.update(old.memory_id, NewMemory("todo", "buy green tea"))
    seen: list[str] = []
    after = None
    async with world.owner.transaction() as connection:
        while True:
            page = await list_memories(connection, world.owner.owner_id, MemoryFilter(), 2, after)
            if not page:
                break
            seen += [row.content for row in page]
            after = (page[-1].first_recorded_at, page[-1].memory_id)
    assert [content.split()[-1] for content in seen] == [
        "7",
        "6",
        "5",
        "tea",
        "4",
        "3",
        "2",
        "1",
        "0",
    ]
    async with world.owner.transaction() as connection:
        todos = await list_memories(
            connection, world.owner.owner_id, MemoryFilter(memory_types=("todo",)), 10
        )
    assert [row.content for row in todos] == ["buy green tea"]


async def test_list_intervals_are_half_open(world: World) -> None:
    await world.remember(
        *(NewMemory("fact", month.strftime("%B"), event_at=month) for month in (MAY, JUNE, JULY)),
        NewMemory("fact", "some day"),
    )

    async def listed(chosen: MemoryFilter) -> set[str]:
        async with world.owner.transaction() as connection:
            rows = await list_memories(connection, world.owner.owner_id, chosen, 10)
        return {row.content for row in rows}

    assert await listed(MemoryFilter(event_after=MAY, event_before=JULY)) == {"May", "June"}
    async with world.owner.transaction() as connection:
        (stored,) = {
            row.first_recorded_at
            for row in await list_memories(connection, world.owner.owner_id, MemoryFilter(), 10)
        }
    assert len(await listed(MemoryFilter(created_after=stored))) == 4
    assert await listed(MemoryFilter(created_before=stored)) == set()
    assert len(await listed(MemoryFilter(created_before=stored + timedelta(microseconds=1)))) == 4


async def test_lists_are_filtered_by_tags_category_and_text(world: World) -> None:
    await world.remember(
        NewMemory("fact", "Likes 50% cacao", tags=("food", "sweet"), category="hobby"),
        NewMemory("fact", "likes TEA", tags=("food",), category="hobby"),
        NewMemory("fact", "Works at ÖBB", category="work"),
    )

    async def listed(**chosen: Any) -> list[str]:
        async with world.owner.transaction() as connection:
            rows = await list_memories(connection, world.owner.owner_id, MemoryFilter(**chosen), 10)
        return [row.content for row in rows]

    assert await listed(tags=("food",)) == ["likes TEA", "Likes 50% cacao"]
    assert await listed(tags=("sweet", "food")) == ["Likes 50% cacao"]
    assert await listed(tags=("Food",)) == []
    assert await listed(category="work") == ["Works at ÖBB"]
    assert await listed(text="LIKES") == ["likes TEA", "Likes 50% cacao"]
    assert await listed(text="50%") == ["Likes 50% cacao"]
    assert await listed(text="öbb") == ["Works at ÖBB"]
    assert await listed(text="5_% c") == []  # no pattern
    assert await listed(text="likes", category="hobby", tags=("sweet",)) == ["Likes 50% cacao"]


async def test_the_embedding_job_finds_what_waits(world: World) -> None:
    waiting, _ = await world.remember(
        NewMemory("fact", "waits"), NewMemory("fact", "is done", vector=vector(0))
    )
    owner_id = world.owner.owner_id
    async with world.writing() as connection:
        ((place,),) = (await places_of(connection, owner_id, [waiting.item_id])).values()
        assert [(item.place, item.text) for item in await unembedded(connection, owner_id, 5)] == [
            (place, "waits")
        ]
        space = await foundation.active_space(connection)
        vectors = {place: vector(4), place + 1000: vector(5)}
        assert await store_vectors(connection, owner_id, space, vectors) == 1
        assert await count_unembedded(connection, owner_id) == 0
    assert await world.found("unheard", along=4) == [waiting.item_id]


async def test_erasing_leaves_nothing_to_find(world: World, test_database: TestDatabase) -> None:
    gone, kept = await world.remember(
        NewMemory("fact", "tea time", vector=vector(0)),
        NewMemory("fact", "tea pot", vector=vector(1)),
    )
    async with world.writing() as connection:
        await erase_items(connection, world.owner.owner_id, [gone.item_id])
        places = await places_of(connection, world.owner.owner_id, [kept.item_id])
    superuser = await asyncpg.connect(test_database.superuser_dsn)
    left = await superuser.fetch(
        "SELECT place FROM search_items UNION SELECT place FROM postings"
        " UNION SELECT place FROM vectors_1 UNION SELECT place FROM codes_1"
    )
    await superuser.close()
    assert [row["place"] for row in left] == places[kept.item_id]


async def test_accesses_add_up(world: World) -> None:
    (one, two) = await world.remember(NewMemory("fact", "one"), NewMemory("fact", "two"))
    owner_id = world.owner.owner_id
    async with world.owner.transaction() as connection:
        await count_accesses(connection, owner_id, [one.memory_id, one.memory_id], JUNE)
        await count_accesses(connection, owner_id, [two.memory_id, one.memory_id], MAY)
        counted = await list_accesses(
            connection, owner_id, [one.memory_id, two.memory_id, new_id()]
        )
    assert {key: (each.count, each.last_at) for key, each in counted.items()} == {
        one.memory_id: (3, JUNE),
        two.memory_id: (1, MAY),
    }


async def test_another_owner_reads_nothing(world: World) -> None:
    (added,) = await world.remember(NewMemory("fact", "a secret"))
    other = World(await new_owner(world.owner.database))
    spying = World(replace(other.owner, owner_id=world.owner.owner_id))
    for reader in (other, spying):
        async with other.owner.transaction() as connection:
            owner_id = reader.owner.owner_id
            assert await get_memory(connection, owner_id, added.memory_id) is None
            assert await list_memories(connection, owner_id, MemoryFilter(), 9) == []
            assert await list_revisions(connection, owner_id, added.memory_id, 9) == []
            assert await memories.get_revisions(connection, owner_id, [added.item_id]) == []
            assert not await retract_memory(connection, owner_id, added.memory_id)
    assert await world.present() == ["a secret"]
