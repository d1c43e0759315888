"""What a digest reads of earlier ones: the memories that express an emotion."""

from services.runtime.ids import new_id
from services.storage import digests
from services.storage.memory_rows import Emotion, NewMemory
from tests.conftest import TestDatabase
from tests.store.memory_world import JUNE, World, world
from tests.store.plans import analyze, plan_of

__all__ = ["world"]  # the fixture


async def test_what_was_felt_is_read_the_newest_first(world: World) -> None:
    glad, calm = Emotion(0.8, 0.6, "glad"), Emotion(0.3, 0.1, "calm")
    (first,) = await world.remember(NewMemory("episodic", "Was glad", emotion=glad, event_at=JUNE))
    (second,) = await world.remember(NewMemory("preference", "Likes tea", emotion=calm))
    await world.remember(
        NewMemory("fact", "Lives in Rome"), NewMemory("insight", "Mood", emotion=calm)
    )
    owner = world.owner
    async with owner.transaction() as connection:
        found = await digests.recently_felt(connection, owner.owner_id, [], 10)
        assert [each.memory_id for each in found] == [second.memory_id, first.memory_id]
        assert (found[1].emotion, found[1].when) == (glad, JUNE)
        rest = await digests.recently_felt(connection, owner.owner_id, [second.item_id], 10)
        assert [each.memory_id for each in rest] == [first.memory_id]
        assert len(await digests.recently_felt(connection, owner.owner_id, [], 1)) == 1


async def test_it_is_found_by_its_index(world: World, test_database: TestDatabase) -> None:
    for batch in range(4):
        await world.remember(
            *(NewMemory("fact", f"Fact {batch} {number}") for number in range(250))
        )
        await world.remember(NewMemory("fact", f"Felt {batch}", emotion=Emotion(0.5, 0.5, "glad")))
    await analyze(test_database)
    owner = world.owner
    plan = await plan_of(owner, digests.SQL["recently_felt"], owner.owner_id, [new_id()], 100)
    assert "ix_memories_felt" in plan
