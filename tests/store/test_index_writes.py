"""What the search index holds, whoever writes to it at once: sizes, codes, postings."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from services.runtime.database import Connection, Database
from services.runtime.ids import new_id
from services.storage import bulk, foundation, postings, segments
from services.storage.codes import SegmentCache, sign_bits
from services.storage.places import message_place
from services.storage.search import Filter, Gathered, gather
from services.storage.search_items import (
    IndexedItem,
    Kind,
    count_unembedded,
    erase_items,
    index_items,
    retract_items,
)
from services.storage.vectors import store_vectors
from tests.conftest import TestDatabase
from tests.patience import PATIENCE
from tests.store.indexed import indexed
from tests.store.owners import Owner, new_owner, opened

KINDS: tuple[Kind, ...] = ("message", "memory", "chunk")
DIMS = 384


class RolledBackError(Exception):
    """Thrown to undo a transaction."""


async def gathered(
    connection: Connection, owner: Owner, *terms: str, kinds: tuple[Kind, ...] = KINDS
) -> Gathered:
    space = await foundation.active_space(connection)
    chosen = Filter(kinds=kinds)
    return await gather(connection, owner.owner_id, space, terms, chosen, SegmentCache())


async def recounted(connection: Connection, kind: Kind) -> tuple[int, int]:
    row = await connection.fetchrow(
        "SELECT count(*), coalesce(sum(length), 0) FROM search_items"
        " WHERE kind = $1 AND retracted_at IS NULL",
        kind,
    )
    assert row is not None
    return row[0], row[1]


@dataclass
class Writer:
    """Writes at random, in transactions of which some are undone."""

    owner: Owner
    rng: random.Random
    mine: list[UUID] = field(default_factory=list)

    async def write(self) -> None:
        kept = list(self.mine)
        try:
            async with self.owner.transaction() as connection:
                for _ in range(self.rng.randint(1, 3)):
                    await self._something(connection)
                    await asyncio.sleep(0)
                self._undo_some()
        except RolledBackError:
            self.mine = kept

    def _undo_some(self) -> None:
        if self.rng.random() < 0.2:
            raise RolledBackError

    async def _something(self, connection: Connection) -> None:
        owner_id = self.owner.owner_id
        chosen = self.rng.sample(self.mine, min(len(self.mine), self.rng.randint(0, 4)))
        match self.rng.randint(0, 3):
            case 0:
                await retract_items(connection, owner_id, chosen)
            case 1:
                await erase_items(connection, owner_id, chosen)
                self.mine = [each for each in self.mine if each not in chosen]
            case _:
                items = [
                    indexed(new_id(), self.rng.choice(KINDS), "word " * self.rng.randint(0, 9))
                    for _ in range(self.rng.randint(1, 5))
                ]
                await index_items(connection, owner_id, items)
                self.mine += [item.item_id for item in items]


@pytest.mark.parametrize("seed", range(3))
async def test_collection_sizes_are_exact_whoever_writes_at_once(
    test_database: TestDatabase, seed: int
) -> None:
    async with opened(test_database) as database:
        owners = [await new_owner(database, name) for name in ("alice", "bob")]
        writers = [Writer(owners[n % 2], random.Random(100 * seed + n)) for n in range(8)]

        async def work(writer: Writer) -> None:
            for _ in range(12):
                await writer.write()

        await asyncio.gather(*map(work, writers))
        for owner in owners:
            async with owner.transaction() as connection:
                sizes = []
                for kind in KINDS:
                    found = await gathered(connection, owner, kinds=(kind,))
                    assert (found.items, found.total_length) == await recounted(connection, kind)
                    sizes.append(found.items)
                everything = await gathered(connection, owner)
                assert everything.items == sum(sizes) > 0
                stray = await connection.fetchval(
                    "SELECT count(*) FROM postings LEFT JOIN search_items USING (owner_id, place)"
                    " WHERE search_items.place IS NULL"
                )
                assert stray == 0


async def test_writers_of_one_user_do_not_wait_for_each_other(test_database: TestDatabase) -> None:
    async with opened(test_database) as database:
        owner = await new_owner(database)
        async with owner.transaction() as first:
            await index_items(first, owner.owner_id, [indexed(new_id(), "message", "one")])
            async with asyncio.timeout(PATIENCE), owner.transaction() as second:
                await index_items(second, owner.owner_id, [indexed(new_id(), "message", "two")])
        async with owner.transaction() as connection:
            assert (await gathered(connection, owner)).items == 2


async def test_the_speakers_are_those_of_the_last_messages(test_database: TestDatabase) -> None:
    async with opened(test_database) as database:
        owner = await new_owner(database, "ada")
        async with owner.transaction() as connection:
            assert (await gathered(connection, owner)).speakers == ()
            said = [
                indexed(new_id(), "message", "so", place=message_place(2, at, 0), speaker=name)
                for at, name in enumerate(["Ada", "Ben"] * 32)
            ]
            before = indexed(
                new_id(), "message", "so", place=message_place(1, 1, 0), speaker="Carl"
            )
            others = [indexed(new_id(), kind, "so", speaker="Dan") for kind in ("memory", "chunk")]
            await index_items(connection, owner.owner_id, [before, *said, *others])
            for kind in KINDS:
                found = await gathered(connection, owner, kinds=(kind,))
                assert sorted(found.speakers) == ["Ada", "Ben"]


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of a few codes, blocks of a few units, so that a test meets every level."""
    monkeypatch.setattr(segments, "SEGMENT_CODES", 8)
    monkeypatch.setattr(segments, "MERGED_SEGMENTS", 3)
    monkeypatch.setattr(postings, "MERGED_BLOCKS", 3)


async def assert_postings_are_those_of(connection: Connection, items: list[IndexedItem]) -> None:
    rows = await connection.fetch("SELECT term, place, frequency, length FROM postings")
    assert sorted(map(tuple, rows)) == sorted(
        (term, item.place, count, item.terms.length)
        for item in items
        for term, count in item.terms.frequencies.items()
    )
    empty = await connection.fetchval("SELECT count(*) FROM packed_postings WHERE packed = ''")
    assert empty == 0


async def assert_codes_are_those_of_the_vectors(connection: Connection, owner: Owner) -> None:
    found = await gathered(connection, owner)
    rows = await connection.fetch("SELECT place, embedding FROM vectors_1 ORDER BY place")
    places = np.concatenate([each.places for each in found.codes])
    words = np.concatenate([each.words for each in found.codes], axis=1).transpose()
    order = np.argsort(places)
    assert places[order].tolist() == [row["place"] for row in rows]
    assert all((np.diff(each.places) > 0).all() for each in found.codes)
    if rows:
        stored = np.stack([row["embedding"].to_numpy() for row in rows])
        expected = np.ascontiguousarray(sign_bits(stored)).view(np.uint64)
        assert (words[order] == expected).all()


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("seed", range(3))
async def test_codes_and_postings_are_those_of_what_is_stored_and_no_others(
    test_database: TestDatabase, seed: int
) -> None:
    rng = random.Random(seed)
    values = np.random.default_rng(seed)
    async with opened(test_database) as database:
        owner, other = await new_owner(database), await new_owner(database, "other")
        items: list[IndexedItem] = []
        for step in range(30):
            async with owner.transaction() as connection:
                space = await foundation.active_space(connection)
                new = [
                    indexed(new_id(), rng.choice(KINDS), " ".join(rng.choices("abcde", k=3)))
                    for _ in range(rng.randint(0, 9))
                ]
                await index_items(connection, owner.owner_id, new)
                items += new
                again = rng.sample(items, min(len(items), 3 if step % 3 == 0 else 0))
                written = {item.place: values.normal(size=DIMS) for item in [*new, *again]}
                stored = await store_vectors(connection, owner.owner_id, space, written)
                assert stored == len(written)
                gone = rng.sample(items, min(len(items), rng.choice([0, 0, 4])))
                await erase_items(connection, owner.owner_id, [item.item_id for item in gone])
                items = [item for item in items if item not in gone]
            async with owner.transaction() as connection:
                await assert_codes_are_those_of_the_vectors(connection, owner)
                await assert_postings_are_those_of(connection, items)
                blocks = await connection.fetch("SELECT level FROM posting_blocks")
                assert Counter(row["level"] for row in blocks)[0] < 3
                levels = await connection.fetch("SELECT level FROM segments_1")
                single = await connection.fetchval("SELECT count(*) FROM codes_1")
                counted = Counter(row["level"] for row in levels)
                assert single < 8
                assert max((counted[0], counted[1]), default=0) < 3
        assert sum(counted.values()) > 0
        async with other.transaction() as connection:
            assert await connection.fetchval("SELECT count(*) FROM segments_1") == 0


async def test_the_same_vector_stored_again_changes_nothing(test_database: TestDatabase) -> None:
    async with opened(test_database) as database:
        owner = await new_owner(database)
        async with owner.transaction() as connection:
            space = await foundation.active_space(connection)
            item = indexed(new_id(), "message", "tea")
            await index_items(connection, owner.owner_id, [item])
            vector = np.linspace(-1, 1, DIMS, dtype=np.float32)
            for _ in range(2):
                stored = {item.place: vector}
                assert await store_vectors(connection, owner.owner_id, space, stored) == 1
            await assert_codes_are_those_of_the_vectors(connection, owner)
            assert await store_vectors(connection, owner.owner_id, space, {5: vector}) == 0


@pytest.mark.usefixtures("small_segments")
async def test_concurrent_writers_of_vectors_lose_nothing(test_database: TestDatabase) -> None:
    values = np.random.default_rng(9)
    async with opened(test_database) as database:
        owner = await new_owner(database)
        items = [indexed(new_id(), "message", "tea") for _ in range(120)]
        async with owner.transaction() as connection:
            space = await foundation.active_space(connection)
            await index_items(connection, owner.owner_id, items)

        async def store(some: list[IndexedItem]) -> None:
            written = {item.place: values.normal(size=DIMS) for item in some}
            async with owner.transaction() as connection:
                await store_vectors(connection, owner.owner_id, space, written)

        async def erase(some: list[IndexedItem]) -> None:
            async with owner.transaction() as connection:
                await erase_items(connection, owner.owner_id, [item.item_id for item in some])

        await asyncio.gather(
            *(store(items[start : start + 5]) for start in range(0, 120, 5)),
            *(erase(items[start : start + 3]) for start in range(0, 120, 12)),
        )
        async with owner.transaction() as connection:
            await assert_codes_are_those_of_the_vectors(connection, owner)
            assert await connection.fetchval("SELECT count(*) FROM vectors_1") == 90
            assert await count_unembedded(connection, owner.owner_id) == 0


async def loaded(owner: Owner, items: list[IndexedItem], rows: NDArray[np.float32]) -> None:
    async with owner.transaction() as connection:
        space = await foundation.active_space(connection)
        await bulk.load(connection, owner.owner_id, space, items, rows)


async def stored(owner: Owner, items: list[IndexedItem], rows: NDArray[np.float32]) -> None:
    async with owner.transaction() as connection:
        space = await foundation.active_space(connection)
        await index_items(connection, owner.owner_id, items)
        by_place = {item.place: row for item, row in zip(items, rows, strict=True)}
        await store_vectors(connection, owner.owner_id, space, by_place)


async def contents(database: Database, owner: Owner) -> list[list[tuple[object, ...]]]:
    async with owner.transaction() as connection:
        await assert_codes_are_those_of_the_vectors(connection, owner)
        found = await gathered(connection, owner)
        tables = [
            await connection.fetch(statement)
            for statement in (
                "SELECT place, item_id, length, event_at, traits, speaker, start_offset, end_offset"
                " FROM search_items ORDER BY 1",
                "SELECT term, place, frequency, length FROM postings ORDER BY 1, 2",
                "SELECT place FROM unembedded",
                "SELECT place, embedding::text FROM vectors_1 ORDER BY 1",
            )
        ]
    return [[tuple(row) for row in rows] for rows in tables] + [[(found.items, found.total_length)]]


async def test_loading_in_bulk_is_storing_one_by_one(test_database: TestDatabase) -> None:
    rng = random.Random(4)
    items = [
        indexed(new_id(), "message", " ".join(rng.choices("abcdefghijk", k=8)), speaker="Ann")
        for _ in range(700)
    ]
    rows = np.random.default_rng(4).normal(size=(700, DIMS)).astype(np.float32)
    rng.shuffle(items)
    async with opened(test_database) as database:
        one, other = await new_owner(database, "one"), await new_owner(database, "other")
        await loaded(one, items[:650], rows[:650])
        await loaded(one, items[650:], rows[650:])
        await stored(other, items, rows)
        assert await contents(database, one) == await contents(database, other)
