"""A past moment brought back, and the present before it brought back again."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.runtime.database import Connection
from services.runtime.errors import InvalidArgument, NotFound
from services.storage import digest_runs, digests, rollbacks
from services.storage.graph import NodeRef, Statement, state
from services.storage.graph_reads import NeighborQuery, edges_near
from services.storage.key_values import delete_values, list_values, set_values
from services.storage.memories import retract_memory
from services.storage.memory_rows import NewMemory
from services.storage.relations import NodeKey
from services.storage.rollbacks import Rollback
from services.storage.search_items import count_unembedded
from tests.conftest import TestDatabase
from tests.store.memory_world import World, vector, world

__all__ = ["world"]  # the fixture

ANN = NodeRef("PERSON", "ann", "Ann")


async def now(world: World) -> datetime:
    async with world.owner.transaction() as connection:
        moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return moment


async def roll_back(world: World, to_time: datetime) -> Rollback:
    async with world.owner.transaction() as connection:
        return await rollbacks.roll_back(connection, world.owner.owner_id, to_time)


async def undo(world: World, done: Rollback) -> Rollback:
    async with world.owner.transaction() as connection:
        return await rollbacks.undo_rollback(connection, world.owner.owner_id, done.rollback_id)


async def forget(world: World, memory_id: UUID) -> None:
    async with world.writing() as connection:
        await retract_memory(connection, world.owner.owner_id, memory_id)


async def put(world: World, **values: Any) -> None:
    async with world.writing() as connection:
        await set_values(connection, world.owner.owner_id, "profile", values)


async def values(world: World, as_of: datetime | None = None) -> dict[str, Any]:
    async with world.owner.transaction() as connection:
        rows = await list_values(
            connection, world.owner.owner_id, "profile", limit=100, as_of=as_of
        )
    return {row.key: row.value for row in rows}


async def lives_in(world: World, place: str) -> None:
    statement = Statement(ANN, "LIVES_IN", "", NodeRef("LOCATION", place.lower(), place))
    async with world.writing() as connection:
        await state(connection, world.owner.owner_id, [statement])


async def homes(world: World, as_of: datetime | None = None) -> list[tuple[str, str]]:
    """Where Ann lives and lived, each with why that is over."""
    query = NeighborQuery(100, as_of=as_of, closed=True)
    async with world.owner.transaction() as connection:
        near = await edges_near(connection, world.owner.owner_id, [NodeKey("PERSON", "ann")], query)
    return sorted((each.edge.target.node_id, each.edge.closed_reason) for each in near)


async def collection(world: World) -> tuple[int, int]:
    """How many memories the search index counts, and how many it holds that stand."""
    async with world.owner.transaction() as connection:
        counted = await connection.fetchval("SELECT sum(memories) FROM collection_sizes")
        held = await connection.fetchval(
            "SELECT count(*) FROM search_items WHERE kind = 'memory' AND retracted_at IS NULL"
        )
    return int(counted or 0), held


async def test_what_was_said_since_goes_and_what_it_replaced_comes_back(world: World) -> None:
    await world.remember(NewMemory("fact", "Lives in Boston", slot="home", vector=vector(1)))
    before = await now(world)
    await world.remember(NewMemory("fact", "Lives in Denver", slot="home", vector=vector(2)))
    await world.remember(NewMemory("fact", "Likes tea", vector=vector(3)))
    between = await now(world)
    done = await roll_back(world, before)
    assert (done.memories_retracted, done.memories_restored) == (2, 1)
    assert await world.present() == ["Lives in Boston"]
    assert await world.present(as_of=before) == ["Lives in Boston"]
    assert await world.present(as_of=between) == ["Likes tea", "Lives in Denver"]
    assert await world.present(as_of=done.recorded_at) == ["Lives in Boston"]
    just_before = done.recorded_at - rollbacks.JUST_BEFORE
    assert await world.present(as_of=just_before) == ["Likes tea", "Lives in Denver"]


async def test_the_search_follows_both_ways(world: World) -> None:
    (boston,) = await world.remember(
        NewMemory("fact", "Lives in Boston", slot="home", vector=vector(1))
    )
    before = await now(world)
    (denver,) = await world.remember(
        NewMemory("fact", "Lives in Denver", slot="home", vector=vector(2))
    )
    done = await roll_back(world, before)
    (found,) = await world.found("Boston Denver")
    assert found not in {boston.item_id, denver.item_id}  # a revision of its own
    assert await world.found("unheard", along=1) == [found]
    assert await world.found("unheard", along=2) == []
    assert await collection(world) == (1, 1)
    await undo(world, done)
    assert await world.found("Boston") == []
    (again,) = await world.found("Denver")
    assert await world.found("unheard", along=2) == [again]
    assert await world.found("unheard", along=1) == []
    assert await collection(world) == (1, 1)
    async with world.owner.transaction() as connection:
        assert await count_unembedded(connection, world.owner.owner_id) == 0


async def test_a_long_memory_comes_back_with_every_passage_and_without_vectors(
    world: World,
) -> None:
    text = " ".join(f"Sentence {number} tells of tulips and ladders." for number in range(200))
    (long,) = await world.remember(NewMemory("general", text))
    before = await now(world)
    await forget(world, long.memory_id)
    assert await world.found("tulips") == []
    await roll_back(world, before)
    assert len(await world.found("tulips ladders")) == 1
    counted, held = await collection(world)
    assert counted == held > 1
    async with world.owner.transaction() as connection:
        # Those of the revision that was taken back wait as well.
        assert await count_unembedded(connection, world.owner.owner_id) == 2 * held


async def test_revisions_say_what_happened(world: World) -> None:
    (added,) = await world.remember(NewMemory("fact", "Works at Gogle", slot="job"))
    before = await now(world)
    await world.update(added.memory_id, NewMemory("fact", "Works at Google", slot="job"))
    done = await roll_back(world, before)
    rows = await world.revisions(added.memory_id)
    assert [(row.revision, row.content, row.retracted_reason) for row in rows] == [
        (1, "Works at Gogle", "updated"),
        (2, "Works at Google", "rolled_back"),
        (3, "Works at Gogle", ""),
    ]
    assert rows[1].retracted_at == rows[2].recorded_at == done.recorded_at
    assert rows[2].first_recorded_at == rows[0].first_recorded_at
    then = await world.get(added.memory_id, as_of=before)
    assert then is not None
    assert (then.retracted_at, then.retracted_reason) == (None, "")


async def test_the_graph_goes_back_with_its_predecessors(world: World) -> None:
    await lives_in(world, "Boston")
    boston = await now(world)
    await lives_in(world, "Denver")
    denver = await now(world)
    done = await roll_back(world, boston)
    assert (done.edges_retracted, done.edges_restored, done.nodes_retracted) == (2, 1, 1)
    assert await homes(world) == [("boston", "")]
    assert await homes(world, denver) == [("boston", "superseded"), ("denver", "")]
    await lives_in(world, "Oslo")
    assert await homes(world) == [("boston", "superseded"), ("oslo", "")]
    await undo(world, done)
    assert await homes(world) == [("boston", "superseded"), ("denver", "")]
    # And the graph goes on from there.
    await lives_in(world, "Rome")
    assert await homes(world) == [
        ("boston", "superseded"), ("denver", "superseded"), ("rome", ""),
    ]  # fmt: skip


async def test_a_correction_goes_back_and_can_be_made_again(world: World) -> None:
    async def born_in(place: str) -> None:
        statement = Statement(ANN, "BORN_IN", "", NodeRef("LOCATION", place.lower(), place))
        async with world.writing() as connection:
            await state(connection, world.owner.owner_id, [statement])

    await born_in("Bern")
    bern = await now(world)
    await born_in("Basel")
    await roll_back(world, bern)
    assert await homes(world) == [("bern", "")]
    await born_in("Basel")
    assert await homes(world) == [("basel", "")]
    await born_in("Bern")
    assert await homes(world) == [("bern", "")]


async def test_values_and_profile_go_back(world: World) -> None:
    await put(world, name="Ann", city="Boston")
    before = await now(world)
    await put(world, city="Denver", job="baker")
    async with world.writing() as connection:
        await delete_values(connection, world.owner.owner_id, "profile", ["name"])
    after = await now(world)
    done = await roll_back(world, before)
    assert (done.key_values_retracted, done.key_values_restored) == (2, 2)
    assert await values(world) == {"name": "Ann", "city": "Boston"}
    assert await values(world, after) == {"city": "Denver", "job": "baker"}
    await undo(world, done)
    assert await values(world) == {"city": "Denver", "job": "baker"}
    assert await values(world, done.recorded_at) == {"name": "Ann", "city": "Boston"}
    await put(world, city="Oslo")
    assert (await values(world))["city"] == "Oslo"


def _profile(count: int) -> digests.EmotionProfileRow:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return digests.EmotionProfileRow(
        count, f"state {count}", "2026-W01", 0.5, 0.5, moment, 0.5, 0.5, count, {}, {}, moment
    )


async def _digest(world: World, count: int) -> list[str]:
    """A digest of all that is new; what it read."""
    owner_id = world.owner.owner_id
    async with world.writing() as connection:
        read = await digests.undigested(connection, owner_id, 100)
        digest_id = uuid4()
        await digests.mark_digested(
            connection, owner_id, [memory.item_id for memory in read], digest_id
        )
        await digest_runs.insert_running(connection, owner_id, digest_id, 100)
        await digest_runs.finish_digest(connection, owner_id, digest_id, analyzed=len(read))
        await digests.store_emotion_profile(connection, owner_id, _profile(count))
    return [memory.content for memory in read]


async def test_a_digest_goes_back_with_what_it_had_read(world: World) -> None:
    await world.remember(NewMemory("fact", "one"))
    assert await _digest(world, 1) == ["one"]
    await world.remember(NewMemory("fact", "two"))
    before = await now(world)
    assert await _digest(world, 2) == ["two"]
    done = await roll_back(world, before)
    assert done.emotion_profile_changed

    async def state_of(as_of: datetime | None = None) -> str:
        async with world.owner.transaction() as connection:
            row = await digests.get_emotion_profile(connection, world.owner.owner_id, as_of)
        return row.latest_state if row else ""

    assert await state_of() == "state 1"
    assert await state_of(done.recorded_at - rollbacks.JUST_BEFORE) == "state 2"
    undone = await undo(world, done)
    assert await state_of() == "state 2"
    async with world.owner.transaction() as connection:
        assert await digests.undigested(connection, world.owner.owner_id, 10) == []
    await undo(world, undone)
    assert await _digest(world, 3) == ["two"]  # read again, not counted twice
    assert await state_of() == "state 3"


async def test_a_pathway_goes_and_comes_back(world: World) -> None:
    owner_id = world.owner.owner_id
    before = await now(world)
    async with world.writing() as connection:
        await connection.execute(
            "INSERT INTO pathways (owner_id, memory_id, position, node_type, node_id) "
            "VALUES ($1, $2, 0, 'PERSON', 'ann')",
            owner_id,
            uuid4(),
        )

    async def steps(connection: Connection) -> int:
        counted: int = await connection.fetchval(
            "SELECT count(*) FROM pathways WHERE retracted_at IS NULL"
        )
        return counted

    done = await roll_back(world, before)
    async with world.owner.transaction() as connection:
        assert await steps(connection) == 0
    await undo(world, done)
    async with world.owner.transaction() as connection:
        assert await steps(connection) == 1


async def test_rollbacks_are_listed_and_an_undoing_can_be_undone(world: World) -> None:
    before = await now(world)
    await world.remember(NewMemory("fact", "Likes tea"))
    first = await roll_back(world, before)
    second = await undo(world, first)
    assert await world.present() == ["Likes tea"]
    third = await undo(world, second)
    assert await world.present() == []
    async with world.owner.transaction() as connection:
        listed = await rollbacks.list_rollbacks(connection, world.owner.owner_id, 2)
        rest = await rollbacks.list_rollbacks(
            connection, world.owner.owner_id, 2, listed[-1].recorded_at
        )
    assert listed == [third, second]
    assert rest == [first]
    assert (third.undoes, second.undoes, first.undoes) == (
        second.rollback_id, first.rollback_id, None,
    )  # fmt: skip


async def test_a_rollback_to_the_present_changes_nothing(world: World) -> None:
    await world.remember(NewMemory("fact", "Likes tea"))
    await put(world, city="Denver")
    await lives_in(world, "Denver")
    done = await roll_back(world, await now(world))
    assert done.memories_retracted == done.edges_retracted == done.key_values_retracted == 0
    assert done.memories_restored == done.edges_restored == done.nodes_restored == 0


async def test_the_future_and_the_unknown_are_refused(world: World) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await roll_back(world, await now(world) + timedelta(hours=1))
    assert refused.value.violations[0].reason == "FIELD_OUT_OF_RANGE"
    with pytest.raises(NotFound):
        async with world.owner.transaction() as connection:
            await rollbacks.undo_rollback(connection, world.owner.owner_id, uuid4())


async def test_two_holders_of_a_slot_in_the_past_do_not_hinder(
    world: World, test_database: TestDatabase
) -> None:
    """An import may bring a moment with two; the one recorded last counts."""
    (first,) = await world.remember(NewMemory("fact", "Lives in Boston", slot="home"))
    early, between = await now(world), await now(world)
    await forget(world, first.memory_id)
    (second,) = await world.remember(NewMemory("fact", "Lives in Oslo", slot="home"))
    superuser = await asyncpg.connect(test_database.superuser_dsn)
    for table in ("memories", "search_items"):
        await superuser.execute(
            f"UPDATE {table} SET recorded_at = $1 WHERE item_id = $2", early, second.item_id
        )
    await superuser.close()
    assert len(await world.present(as_of=between)) == 2
    await world.remember(NewMemory("fact", "Lives in Rome", slot="home"))
    await roll_back(world, between)
    assert await world.present() == ["Lives in Oslo"]
