"""How a memory takes another's slot, and how one is corrected."""

from dataclasses import replace

from services.storage import foundation
from services.storage.memories import remember
from services.storage.memory_rows import NewMemory
from services.storage.search_items import (
    count_unembedded,
)
from tests.store.memory_world import JULY, JUNE, MAY, World, vector, world

__all__ = ["world"]  # the fixture


async def test_a_slot_has_one_holder(world: World) -> None:
    (boston,) = await world.remember(
        NewMemory("fact", "Lives in Boston", slot="home", event_at=MAY)
    )
    (denver,) = await world.remember(
        NewMemory("fact", "Lives in Denver", slot="home", event_at=JUNE)
    )
    assert (denver.outcome, denver.superseded) == ("superseding", boston.memory_id)
    old, new = await world.get(boston.memory_id), await world.get(denver.memory_id)
    assert old is not None
    assert new is not None
    assert (old.retracted_reason, old.superseded_by) == ("superseded", denver.memory_id)
    assert old.retracted_at == new.recorded_at  # no moment without a holder, none with two
    assert await world.present() == ["Lives in Denver"]
    assert await world.present(as_of=old.recorded_at) == ["Lives in Boston"]
    assert await world.present(as_of=new.recorded_at) == ["Lives in Denver"]
    assert await world.found("Boston Denver") == [denver.item_id]


async def test_an_older_statement_does_not_take_the_slot(world: World) -> None:
    (boston,) = await world.remember(
        NewMemory("fact", "Lives in Boston", slot="home", event_at=JUNE)
    )
    (rome,) = await world.remember(NewMemory("fact", "Lived in Rome", slot="home", event_at=MAY))
    assert (rome.outcome, rome.superseded) == ("historical", boston.memory_id)
    row = await world.get(rome.memory_id)
    assert row is not None
    assert (row.retracted_at, row.superseded_by) == (row.recorded_at, boston.memory_id)
    assert await world.present() == ["Lives in Boston"]
    assert await world.found("Rome") == []


async def test_without_an_event_time_the_one_told_last_holds_the_slot(world: World) -> None:
    await world.remember(NewMemory("fact", "Lives in Boston", slot="home", event_at=JULY))
    outcomes = await world.remember(
        NewMemory("fact", "Lives in Denver", slot="home"),
        NewMemory("fact", "Lives in Oslo", slot="home"),
        NewMemory("fact", "Lives in Rome", slot="home", event_at=MAY),
    )
    assert [each.outcome for each in outcomes] == ["superseding", "superseding", "historical"]
    assert await world.present() == ["Lives in Oslo"]
    assert len(await world.found("Boston Denver Oslo Rome")) == 1


async def test_a_correction_is_a_new_revision(world: World) -> None:
    (added,) = await world.remember(NewMemory("fact", "Works at Gogle", vector=vector(1)))
    first = await world.get(added.memory_id)
    assert first is not None
    changed = NewMemory("fact", "Works at Google", importance=6, vector=vector(2))
    second = await world.update(added.memory_id, changed)
    assert (second.revision, second.importance) == (2, 6)
    assert second.item_id != first.item_id
    assert (second.first_recorded_at, second.last_refreshed_at) == (
        first.first_recorded_at, first.last_refreshed_at,
    )  # fmt: skip
    assert await world.found("Gogle") == []
    assert await world.found("Google", along=2) == [second.item_id]
    assert await world.found("unheard", along=1) == []
    old, new = await world.revisions(added.memory_id)
    assert (old.content, old.retracted_reason) == ("Works at Gogle", "updated")
    assert old.retracted_at == new.recorded_at
    then = replace(old, retracted_at=None, retracted_reason="")  # what came later is not known yet
    assert await world.get(added.memory_id, as_of=first.recorded_at) == then


async def test_an_unchanged_content_keeps_its_vector(world: World) -> None:
    (added,) = await world.remember(NewMemory("fact", "tea", vector=vector(1)))
    second = await world.update(added.memory_id, NewMemory("todo", "tea"))
    assert await world.found("unheard", along=1) == [second.item_id]
    async with world.owner.transaction() as connection:
        assert await count_unembedded(connection, world.owner.owner_id) == 0


async def test_a_slot_survives_a_correction_and_can_still_be_taken(world: World) -> None:
    (boston,) = await world.remember(NewMemory("fact", "Lives in Bosston", slot="home"))
    await world.update(boston.memory_id, NewMemory("fact", "Lives in Boston", slot="home"))
    (denver,) = await world.remember(NewMemory("fact", "Lives in Denver", slot="home"))
    assert [(row.content, row.revision) for row in await world.revisions(boston.memory_id)] == [
        ("Lives in Bosston", 1), ("Lives in Boston", 2), ("Lives in Denver", 1),
    ]  # fmt: skip
    assert [row.memory_id for row in await world.revisions(denver.memory_id)] == [denver.memory_id]


async def test_a_transaction_that_began_first_but_came_second_keeps_time_in_order(
    world: World,
) -> None:
    async with world.owner.transaction() as late:
        await late.fetchval("SELECT now()")
        (boston,) = await world.remember(NewMemory("fact", "Lives in Boston", slot="home"))
        space = await foundation.active_space(late)
        await remember(
            late, world.owner.owner_id, [NewMemory("fact", "Lives in Oslo", slot="home")], space
        )
    old, new = await world.revisions(boston.memory_id)
    assert old.retracted_at == old.recorded_at == new.recorded_at
    assert await world.found("Boston Oslo") == [new.item_id]
