"""Units that were read stay known, as long as nothing of their user's is erased or replaced."""

from collections.abc import AsyncIterator

import numpy as np
import pytest

from services.runtime.database import Connection, Database
from services.runtime.ids import new_id
from services.storage import foundation
from services.storage.codes import SegmentCache
from services.storage.described import UnitCache, Units, describe
from services.storage.search import Filter, gather
from services.storage.search_items import IndexedItem, erase_items, index_items, retract_items
from services.storage.vectors import store_vectors
from tests.conftest import TestDatabase
from tests.store.indexed import indexed
from tests.store.owners import Owner, new_owner, opened

DIMS = 384
rng = np.random.default_rng(3)
QUESTION = rng.normal(size=DIMS).astype(np.float32)
SEGMENTS = SegmentCache()


@pytest.fixture
async def database(test_database: TestDatabase) -> AsyncIterator[Database]:
    async with opened(test_database) as made:
        yield made


async def add(owner: Owner, *items: IndexedItem) -> None:
    async with owner.transaction() as connection:
        space = await foundation.active_space(connection)
        await index_items(connection, owner.owner_id, items)
        vectors = {item.place: rng.normal(size=DIMS) for item in items}
        await store_vectors(connection, owner.owner_id, space, vectors)


async def seen(connection: Connection, owner: Owner, cache: UnitCache | None) -> list[object]:
    """All units of the owner's, through a cache or straight from the tables."""
    space = await foundation.active_space(connection)
    gathered = await gather(connection, owner.owner_id, space, (), Filter(("message",)), SEGMENTS)
    places = [place for codes in gathered.codes for place in codes.places.tolist()]
    known = cache.of(owner.owner_id, space, gathered.epoch) if cache else None
    described = await describe(connection, owner.owner_id, space, places, QUESTION, known)
    return [described.units, described.vectors.tolist()]


async def test_what_is_known_is_what_the_tables_hold_whatever_was_written(
    database: Database,
) -> None:
    owner, cache = await new_owner(database), UnitCache()
    items = [indexed(new_id(), "message", f"tea {n}", speaker="Ann") for n in range(40)]
    await add(owner, *items[:30])

    async def check() -> None:
        async with owner.transaction() as connection:
            fresh = await seen(connection, owner, None)
            assert await seen(connection, owner, cache) == fresh
            assert await seen(connection, owner, cache) == fresh

    await check()
    await add(owner, *items[30:])
    await check()
    async with owner.transaction() as connection:
        await retract_items(connection, owner.owner_id, [items[3].item_id])
        await erase_items(connection, owner.owner_id, [items[5].item_id])
    await check()
    # The same place, another thing: what was known of it must not come back.
    await add(owner, indexed(new_id(), "message", "coffee", place=items[5].place))
    await check()
    async with owner.transaction() as connection:
        space = await foundation.active_space(connection)
        other = {items[7].place: rng.normal(size=DIMS)}
        await store_vectors(connection, owner.owner_id, space, other)
    await check()


async def test_a_unit_that_was_read_before_it_had_a_vector_gets_it(database: Database) -> None:
    owner, known = await new_owner(database), Units(DIMS)
    items = [indexed(new_id(), "message", "tea") for _ in range(3)]
    places = [item.place for item in items]
    await add(owner, items[0])
    async with owner.transaction() as connection:
        space = await foundation.active_space(connection)
        await index_items(connection, owner.owner_id, items[1:])

        async def similar() -> list[float | None]:
            found = await describe(connection, owner.owner_id, space, places, QUESTION, known)
            fresh = await describe(connection, owner.owner_id, space, places, QUESTION)
            assert found.units == fresh.units
            return [unit.similarity for unit in found.units]

        before = await similar()
        assert before[0] is not None
        assert before[1:] == [None, None]
        written = {items[1].place: rng.normal(size=DIMS)}
        await store_vectors(connection, owner.owner_id, space, written)
        after = await similar()
        assert after[0] == before[0]
        assert after[1] is not None
        assert after[2] is None
        assert known.missing(places) == [items[2].place]


async def test_known_units_are_not_read_again(database: Database) -> None:
    owner, cache = await new_owner(database), UnitCache()
    await add(owner, *(indexed(new_id(), "message", "tea") for _ in range(5)))
    async with owner.transaction() as connection:
        first = await seen(connection, owner, cache)
        # Past the statements that begin a new epoch: a second read would show this.
        await connection.execute("UPDATE search_items SET speaker = 'Bob'")
        assert await seen(connection, owner, cache) == first
        assert await seen(connection, owner, None) != first


async def test_the_cache_is_bounded_and_forgets_the_user_asked_about_longest_ago(
    database: Database,
) -> None:
    owners = [await new_owner(database, f"user-{n}") for n in range(4)]
    for owner in owners:
        await add(owner, *(indexed(new_id(), "message", "tea") for _ in range(20)))
    cache = UnitCache()
    sizes = []
    for owner in owners[:3]:
        async with owner.transaction() as connection:
            await seen(connection, owner, cache)
        sizes.append(cache.nbytes)
    assert sizes[2] == 3 * sizes[0] > 20 * 2 * DIMS
    small = UnitCache(max_bytes=3 * sizes[0])
    for at in (0, 1, 2, 0, 3):
        async with owners[at].transaction() as connection:
            await seen(connection, owners[at], small)
            assert small.nbytes <= 3 * sizes[0]
    space = await _space(owners[0])
    held = [len(small.of(each.owner_id, space, await _epoch(each))) for each in owners]
    assert held == [20, 0, 20, 20]


async def _space(owner: Owner) -> foundation.EmbeddingSpace:
    async with owner.transaction() as connection:
        return await foundation.active_space(connection)


async def _epoch(owner: Owner) -> tuple[int | None, int | None]:
    async with owner.transaction() as connection:
        space = await foundation.active_space(connection)
        return (await gather(connection, owner.owner_id, space, (), Filter(), SEGMENTS)).epoch
