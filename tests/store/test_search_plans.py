"""How PostgreSQL searches: by the user's own range of each key, whoever else is stored."""

import random
from collections.abc import Iterator
from typing import Any

import asyncpg
import numpy as np
from pgvector import HalfVector

from services.runtime.database import Database
from services.runtime.ids import new_id
from services.storage import foundation
from services.storage.search import SQL
from services.storage.search_items import IndexedItem, in_space, index_items, store_vectors
from services.text.terms import analyze
from tests.conftest import TestDatabase
from tests.store.owners import Owner, new_owner, opened

OWNERS, ITEMS = 12, 400
DIMS = 384


async def _fill(database: Database, number: int, items: int = ITEMS) -> Owner:
    """A user with items; `number` tells one from another."""
    words = random.Random(number)
    vectors = np.random.default_rng(number)
    owner = await new_owner(database, f"user-{number}")
    indexed = [
        IndexedItem(
            new_id(), "memory", analyze(" ".join(f"w{words.randint(0, 900)}" for _ in range(12)))
        )
        for _ in range(items)
    ]
    rows = vectors.normal(size=(items, DIMS)).astype(np.float32)
    async with owner.transaction() as connection:
        space = await foundation.active_space(connection)
        await index_items(connection, owner.owner_id, indexed)
        by_item = {item.item_id: row for item, row in zip(indexed, rows, strict=True)}
        await store_vectors(connection, owner.owner_id, space, by_item)
    return owner


async def _plan(owner: Owner) -> list[dict[str, Any]]:
    """The nodes of the plan by which PostgreSQL would search now."""
    async with owner.transaction() as connection:
        space = await foundation.active_space(connection)
        await connection.execute(SQL["steady_plans"])
        (explained,) = await connection.fetchval(
            "EXPLAIN (FORMAT JSON) " + in_space(SQL["search"], space),
            owner.owner_id,
            ["memory"],
            *[None] * 8,
            ["w1", "w2", "w3"],
            HalfVector(np.ones(DIMS)),
            80,
        )
    return list(_nodes(explained["Plan"]))


async def _vacuum(test_database: TestDatabase) -> None:
    superuser = await asyncpg.connect(test_database.superuser_dsn)
    await superuser.execute("VACUUM ANALYZE")
    await superuser.close()


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)


async def test_search_reads_the_users_own_range_of_each_key(test_database: TestDatabase) -> None:
    async with opened(test_database) as database:
        owners = [await _fill(database, number) for number in range(OWNERS)]
        await _vacuum(test_database)
        nodes = await _plan(owners[5])
    assert [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"] == []
    indexes = {node["Index Name"]: node["Index Cond"] for node in nodes if "Index Name" in node}
    assert set(indexes) >= {"pk_postings", "pk_search_items", "pk_vectors_1"}
    assert all("owner_id =" in condition for condition in indexes.values())
    assert "term = ANY" in indexes["pk_postings"]


async def test_search_is_not_planned_by_what_was_there_before(test_database: TestDatabase) -> None:
    """Just after a user's first thousands of items, the statistics still know of none."""
    async with opened(test_database) as database:
        await _fill(database, 0, items=3)
        await _vacuum(test_database)
        nodes = await _plan(await _fill(database, 1, items=300))
    every_pair = [n for n in nodes if n["Node Type"] == "Nested Loop" and "Join Filter" in n]
    assert every_pair == []
