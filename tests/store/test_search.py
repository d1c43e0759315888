"""Search by words and by meaning against figures worked out independently."""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

from services.runtime.database import Connection
from services.runtime.ids import new_id
from services.storage import foundation, memories
from services.storage.codes import SegmentCache
from services.storage.foundation import EmbeddingSpace
from services.storage.hybrid_search import Hit, Query, fused, search
from services.storage.memories import remember
from services.storage.memory_rows import NewMemory
from services.storage.search import Filter
from services.storage.search_items import (
    IndexedItem,
    erase_items,
    index_items,
    retract_items,
)
from services.storage.vectors import store_vectors
from services.text.terms import analyze, query_terms
from tests.conftest import TestDatabase
from tests.store.indexed import indexed
from tests.store.owners import Owner, new_owner, opened

VOCABULARY = [f"word{number}" for number in range(60)]
DIMS = 384
NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)


def okapi(texts: Mapping[UUID, str], query: str) -> dict[UUID, float]:
    """BM25 by the textbook, with k1 1.2 and b 0.75, of the texts with a word of the query."""
    words = {
        key: [t for t, n in analyze(text).frequencies.items() for _ in range(n)]
        for key, text in texts.items()
    }
    mean = sum(map(len, words.values())) / len(words)
    scores: dict[UUID, float] = {}
    for term in query_terms(query):
        holders = [key for key, held in words.items() if term in held]
        idf = math.log(1 + (len(words) - len(holders) + 0.5) / (len(holders) + 0.5))
        for key in holders:
            tf = words[key].count(term)
            weight = tf * (1.2 + 1) / (tf + 1.2 * (1 - 0.75 + 0.75 * len(words[key]) / mean))
            scores[key] = scores.get(key, 0.0) + idf * weight
    return scores


def unit(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    vectors = rng.normal(size=(count, DIMS)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def random_text(rng: random.Random) -> str:
    weights = [1 / (place + 1) for place in range(len(VOCABULARY))]
    return " ".join(rng.choices(VOCABULARY, weights, k=rng.randint(1, 25)))


@dataclass
class World:
    """One user's connection, and searches in it."""

    owner: Owner
    connection: Connection
    space: EmbeddingSpace

    async def remember(self, *new: NewMemory) -> list[UUID]:
        owner_id = self.owner.owner_id
        return [each.item_id for each in await remember(self.connection, owner_id, new, self.space)]

    async def index(self, *items: IndexedItem) -> None:
        await index_items(self.connection, self.owner.owner_id, items)

    async def find(
        self,
        words: str,
        embedding: NDArray[np.float32] | None = None,
        chosen: Filter | None = None,
        limit: int = 200,
    ) -> list[Hit]:
        query = Query(query_terms(words), embedding)
        return await search(
            self.connection,
            self.owner.owner_id,
            self.space,
            query,
            chosen or Filter(),
            limit,
            SegmentCache(),
        )


async def world_in(connection: Connection, owner: Owner) -> World:
    return World(owner, connection, await foundation.active_space(connection))


def assert_scores(hits: Sequence[Hit], expected: Mapping[UUID, float]) -> None:
    assert {hit.item_id for hit in hits if hit.bm25 is not None} == set(expected)
    for hit in hits:
        assert hit.bm25 == pytest.approx(expected[hit.item_id], abs=1e-6)
    ranked = sorted(hits, key=lambda hit: hit.bm25_rank or 0)
    assert [hit.bm25_rank for hit in ranked] == list(range(1, len(hits) + 1))
    scores = [hit.bm25 or 0.0 for hit in ranked]
    assert all(a >= b - 1e-9 for a, b in pairwise(scores))


@pytest.mark.parametrize("seed", range(5))
async def test_bm25_is_the_textbooks(test_database: TestDatabase, seed: int) -> None:
    rng = random.Random(seed)
    async with opened(test_database) as database:
        owner = await new_owner(database)
        async with owner.transaction() as connection:
            world = await world_in(connection, owner)
            texts = {new_id(): random_text(rng) for _ in range(rng.randint(5, 120))}
            await world.index(*(indexed(key, "memory", text) for key, text in texts.items()))
            for _ in range(10):
                query = " ".join(rng.choices([*VOCABULARY, "absent"], k=rng.randint(1, 8)))
                assert_scores(await world.find(query), okapi(texts, query))
            # What is retracted or erased counts no longer, in no part of the formula.
            gone = rng.sample(sorted(texts), 4)
            await retract_items(connection, owner.owner_id, gone[:2])
            await erase_items(connection, owner.owner_id, gone[2:])
            added = {new_id(): random_text(rng) for _ in range(3)}
            await world.index(*(indexed(key, "memory", text) for key, text in added.items()))
            present = {key: text for key, text in texts.items() if key not in gone} | added
            for _ in range(10):
                query = " ".join(rng.choices(VOCABULARY, k=4))
                assert_scores(await world.find(query), okapi(present, query))


async def test_filters_choose_hits_and_leave_scores(test_database: TestDatabase) -> None:
    rng = random.Random(11)
    async with opened(test_database) as database:
        owner = await new_owner(database)
        async with owner.transaction() as connection:
            world = await world_in(connection, owner)
            texts = {new_id(): random_text(rng) for _ in range(60)}
            facts = set(sorted(texts)[::3])
            kinds = {key: "fact" if key in facts else "todo" for key in texts}
            await world.index(
                *(
                    indexed(key, "memory", text, memory_type=kinds[key])
                    for key, text in texts.items()
                ),
                indexed(new_id(), "message", "word1 word2 word3"),
            )
            narrowed = await world.find("word1 word4", None, Filter(memory_types=("fact",)))
            expected = okapi(texts, "word1 word4")
            assert narrowed
            assert_scores(narrowed, {key: expected[key] for key in expected if key in facts})


async def test_cosine_is_exact(test_database: TestDatabase) -> None:
    rng = np.random.default_rng(3)
    async with opened(test_database) as database:
        owner = await new_owner(database)
        async with owner.transaction() as connection:
            world = await world_in(connection, owner)
            vectors = unit(rng, 300)
            keys = [new_id() for _ in vectors]
            items = [indexed(key, "memory", "") for key in keys]
            await world.index(*items)
            by_place = {item.place: each for item, each in zip(items, vectors, strict=True)}
            stored = await store_vectors(connection, owner.owner_id, world.space, by_place)
            assert stored == 300
            (query,) = unit(rng, 1)
            hits = await world.find("unheard", query, limit=10)
            cosines = vectors.astype(np.float16).astype(np.float64) @ query
            best = np.argsort(-cosines)[:10]
            assert [hit.item_id for hit in hits] == [keys[place] for place in best]
            assert [hit.vector_rank for hit in hits] == list(range(1, 11))
            for hit, place in zip(hits, best, strict=True):
                assert hit.similarity == pytest.approx(cosines[place], abs=1e-3)
                assert hit.bm25 is None
                assert hit.bm25_rank is None


async def test_hits_of_one_arm_survive_and_both_are_fused(test_database: TestDatabase) -> None:
    near, far = unit(np.random.default_rng(1), 2)
    async with opened(test_database) as database:
        owner = await new_owner(database)
        async with owner.transaction() as connection:
            world = await world_in(connection, owner)
            both, meaning, words = await world.remember(
                NewMemory("fact", "a zebra in the garden", vector=near),
                NewMemory("fact", "something else entirely", vector=(near + far) / 2),
                NewMemory("fact", "zebra crossing ahead of us"),
            )
            hits = {hit.item_id: hit for hit in await world.find("zebra", near)}
    assert list(hits) == [both, words, meaning] or list(hits) == [both, meaning, words]
    assert hits[both].rrf == pytest.approx(1.0)
    assert hits[both].similarity == pytest.approx(1.0, abs=1e-3)
    assert (hits[words].vector_rank, hits[words].similarity) == (None, None)
    assert (hits[meaning].bm25_rank, hits[meaning].bm25) == (None, None)
    assert hits[words].rrf == pytest.approx(1 / 3)
    assert hits[meaning].rrf == pytest.approx(1 / 3)


async def test_by_words_alone(test_database: TestDatabase) -> None:
    (vector,) = unit(np.random.default_rng(1), 1)
    async with opened(test_database) as database:
        owner = await new_owner(database)
        async with owner.transaction() as connection:
            world = await world_in(connection, owner)
            zebra, _ = await world.remember(
                NewMemory("fact", "a zebra", vector=vector),
                NewMemory("fact", "a horse", vector=vector),
            )
            assert [hit.item_id for hit in await world.find("zebra")] == [zebra]
            assert await world.find("!?") == []


async def test_equals_are_ordered_by_id(test_database: TestDatabase) -> None:
    (vector,) = unit(np.random.default_rng(1), 1)
    async with opened(test_database) as database:
        owner = await new_owner(database)
        async with owner.transaction() as connection:
            world = await world_in(connection, owner)
            keys = [uuid4() for _ in range(40)]
            items = [indexed(key, "message", "the same words") for key in keys]
            await world.index(*items)
            by_place = {item.place: vector for item in items}
            await store_vectors(connection, owner.owner_id, world.space, by_place)
            found = await world.find("same words", vector, Filter(kinds=("message",)), limit=7)
            assert [hit.item_id for hit in found] == sorted(keys)[:7]


async def test_intervals_are_half_open(test_database: TestDatabase) -> None:
    hour = timedelta(hours=1)
    async with opened(test_database) as database:
        owner = await new_owner(database)
        async with owner.transaction() as connection:
            world = await world_in(connection, owner)
            times = [NOON - hour, NOON, NOON + hour]
            keys = [new_id() for _ in times]
            await world.index(
                *(
                    indexed(key, "memory", "tea", event_at=at, recorded_at=at, created_at=at)
                    for key, at in zip(keys, times, strict=True)
                ),
                indexed(new_id(), "memory", "tea", recorded_at=NOON - 9 * hour),
            )

            async def found(**bounds: Any) -> list[UUID]:
                return sorted(
                    hit.item_id for hit in await world.find("tea", None, Filter(**bounds))
                )

            assert await found(event_after=NOON, event_before=NOON + hour) == [keys[1]]
            assert await found(created_after=NOON, created_before=NOON + hour) == [keys[1]]
            assert await found(event_after=NOON) == sorted(keys[1:])
            assert await found(event_before=NOON) == [keys[0]]


async def test_as_of_is_the_view_of_its_moment(test_database: TestDatabase) -> None:
    async with opened(test_database) as database:
        owner = await new_owner(database)
        moments: list[datetime] = []

        async def step(*new: NewMemory) -> None:
            async with owner.transaction() as connection:
                world = await world_in(connection, owner)
                await world.remember(*new)
                moments.append(await connection.fetchval("SELECT now()"))

        await step(
            NewMemory("fact", "lives in Boston", slot="home"), NewMemory("fact", "Boston is cold")
        )
        await step(NewMemory("fact", "lives in Denver", slot="home"))
        async with owner.transaction() as connection:
            world = await world_in(connection, owner)
            before = await world.find("Boston Denver lives", None, Filter(as_of=moments[0]))
            now = await world.find("Boston Denver lives")
            long_ago = Filter(as_of=moments[0] - timedelta(microseconds=1))
            assert await world.find("Boston", None, long_ago) == []
            rows = await memories.get_revisions(
                connection, owner.owner_id, [hit.item_id for hit in (*before, *now)]
            )
            content = {row.item_id: row.content for row in rows}
    old = {hit.item_id: hit.bm25 for hit in before}
    assert {content[key] for key in old} == {"lives in Boston", "Boston is cold"}
    assert {content[hit.item_id] for hit in now} == {"lives in Denver", "Boston is cold"}
    assert old == pytest.approx(
        okapi({key: content[key] for key in old}, "Boston Denver lives"), abs=1e-6
    )


async def test_another_owner_finds_nothing(test_database: TestDatabase) -> None:
    (vector,) = unit(np.random.default_rng(1), 1)
    async with opened(test_database) as database:
        alice, bob = await new_owner(database), await new_owner(database)
        async with alice.transaction() as connection:
            world = await world_in(connection, alice)
            await world.remember(NewMemory("fact", "a secret", vector=vector))
            assert len(await world.find("secret", vector)) == 1
        async with bob.transaction() as connection:
            assert await (await world_in(connection, bob)).find("secret", vector) == []
            # Even by the other's id: row-level security stands behind the statement's own filter.
            assert (
                await (await world_in(connection, replace(bob, owner_id=alice.owner_id))).find(
                    "secret", vector
                )
                == []
            )


def test_fusion_is_the_contracts_formula() -> None:
    assert fused(1, 1) == pytest.approx(1)
    assert fused(1, None) == pytest.approx(0.5)
    assert fused(None, None) == 0
    assert fused(10, 3) == pytest.approx(1 / 11 + 1 / 4)


def test_the_textbook_agrees_with_a_worked_example() -> None:
    one, two = uuid4(), uuid4()
    scores = okapi({one: "zebra zebra", two: "horse zebra river stone"}, "zebra")
    idf = math.log(1 + 0.5 / 2.5)
    assert scores[one] == pytest.approx(idf * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 2 / 3)))
    assert Counter(scores) == Counter({one: scores[one], two: scores[two]})
