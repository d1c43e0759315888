"""How PostgreSQL searches: by the user's own range of each key, whoever else is stored."""

import json
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


async def _fill(database: Database) -> list[Owner]:
    words = random.Random(1)
    vectors = np.random.default_rng(1)
    owners = []
    for number in range(OWNERS):
        owner = await new_owner(database, f"user-{number}")
        owners.append(owner)
        async with owner.transaction() as connection:
            space = await foundation.active_space(connection)
            items = [
                IndexedItem(
                    new_id(),
                    "memory",
                    analyze(" ".join(f"w{words.randint(0, 900)}" for _ in range(12))),
                )
                for _ in range(ITEMS)
            ]
            await index_items(connection, owner.owner_id, items)
            rows = vectors.normal(size=(ITEMS, DIMS)).astype(np.float32)
            await store_vectors(
                connection, owner.owner_id, space,
                {item.item_id: row for item, row in zip(items, rows, strict=True)},
            )  # fmt: skip
    return owners


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)


async def test_search_reads_the_users_own_range_of_each_key(test_database: TestDatabase) -> None:
    async with opened(test_database) as database:
        owner = (await _fill(database))[5]
        superuser = await asyncpg.connect(test_database.superuser_dsn)
        await superuser.execute("VACUUM ANALYZE")
        await superuser.close()
        async with owner.transaction() as connection:
            space = await foundation.active_space(connection)
            await connection.execute(SQL["steady_plans"])
            rows = await connection.fetch(
                "EXPLAIN (FORMAT JSON) " + in_space(SQL["search"], space),
                owner.owner_id,
                ["memory"],
                *[None] * 8,
                ["w1", "w2", "w3"],
                HalfVector(np.ones(DIMS)),
                80,
            )
    (explained,) = rows[0][0] if isinstance(rows[0][0], list) else json.loads(rows[0][0])
    nodes = list(_nodes(explained["Plan"]))
    assert [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"] == []
    indexes = {node["Index Name"]: node["Index Cond"] for node in nodes if "Index Name" in node}
    assert set(indexes) >= {"pk_postings", "pk_search_items", f"pk_{space.table_name}"}
    assert all("owner_id =" in condition for condition in indexes.values())
    assert "term = ANY" in indexes["pk_postings"]
