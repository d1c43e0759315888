"""How PostgreSQL searches: by the user's own range of each key, whoever else is stored."""

import random
from collections.abc import Iterator
from typing import Any

import asyncpg
import numpy as np
import pytest

from services.runtime.database import Connection, Database
from services.runtime.ids import new_id
from services.runtime.opening import SET_BY_KEYS
from services.storage import (
    foundation,
    memories,
    postings,
    search,
    search_items,
    segments,
    vectors,
)
from services.storage.embedding_spaces import in_space
from services.storage.places import CHUNK, MESSAGE, message_place
from services.storage.search_items import index_items
from services.storage.vectors import store_vectors
from tests.conftest import TestDatabase
from tests.store.indexed import indexed
from tests.store.owners import Owner, new_owner, opened

OWNERS, ITEMS = 8, 600
DIMS = 384
# As a transaction is that reads by keys.
BY_KEYS = "SELECT set_config('plan_cache_mode', 'force_generic_plan', true)" + SET_BY_KEYS
PLACES = [message_place(1, number, 0) for number in range(400)]


async def _fill(database: Database, number: int, items: int = ITEMS) -> Owner:
    """A user with items; `number` tells one from another."""
    words = random.Random(number)
    owner = await new_owner(database, f"user-{number}")
    units = [
        indexed(
            new_id(),
            "message",
            " ".join(f"w{words.randint(0, 900)}" for _ in range(12)),
            place=message_place(1, place, 0),
        )
        for place in range(items)
    ]
    rows = np.random.default_rng(number).normal(size=(items, DIMS)).astype(np.float32)
    async with owner.transaction() as connection:
        space = await foundation.active_space(connection)
        await index_items(connection, owner.owner_id, units)
        for start in range(0, items, 256):
            by_place = {unit.place: rows[at] for at, unit in enumerate(units)}
            some = dict(list(by_place.items())[start : start + 256])
            await store_vectors(connection, owner.owner_id, space, some)
    return owner


async def _statistics(test_database: TestDatabase) -> None:
    superuser = await asyncpg.connect(test_database.superuser_dsn)
    await superuser.execute("VACUUM ANALYZE")
    await superuser.close()


async def _plan(connection: Connection, statement: str, *arguments: Any) -> list[dict[str, Any]]:
    space = await foundation.active_space(connection)
    (explained,) = await connection.fetchval(
        "EXPLAIN (FORMAT JSON) " + in_space(statement, space), *arguments
    )
    return list(_nodes(explained["Plan"]))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)


def _indexes(nodes: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """How each index is read, and by what; asserts that no table is read without one."""
    assert [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"] == []
    scans = [node for node in nodes if "Index Name" in node]
    assert all("owner_id =" in node["Index Cond"] for node in scans)
    return {node["Index Name"]: (node["Node Type"], node["Index Cond"]) for node in scans}


@pytest.mark.parametrize("counted", [True, False])
async def test_a_search_reads_the_users_own_range_of_each_key(
    test_database: TestDatabase, counted: bool
) -> None:
    async with opened(test_database) as database:
        owners = [await _fill(database, number) for number in range(OWNERS)]
        if counted:
            await _statistics(test_database)
        owner = owners[5]
        async with owner.transaction() as connection:
            await connection.execute(BY_KEYS)
            read = _indexes(await _plan(connection, search.SQL["standing"], owner.owner_id, True))
            assert read["pk_codes_1"][0] == "Index Only Scan"
            assert set(read) >= {"pk_segments_1", "pk_collection_sizes"}
            assert "place <" in read["pk_search_items"][1]
            terms = (owner.owner_id, ["w1", "w2", "w3"], [MESSAGE, CHUNK], 20_000)
            read = _indexes(await _plan(connection, postings.SQL["read"], *terms))
            assert set(read) == {"pk_posting_blocks", "pk_packed_postings", "pk_unit_terms"}
            assert "block_id =" in read["pk_packed_postings"][1]
            assert "term =" in read["pk_packed_postings"][1]
            read = _indexes(await _plan(connection, search.SQL["describe"], owner.owner_id, PLACES))
            assert set(read) == {"pk_search_items", "pk_vectors_1"}
            assert "place =" in read["pk_search_items"][1]
            assert "place =" in read["pk_vectors_1"][1]


@pytest.mark.parametrize("counted", [True, False])
async def test_writers_touch_their_own_range_of_each_key(
    test_database: TestDatabase, counted: bool
) -> None:
    async with opened(test_database) as database:
        owners = [await _fill(database, number) for number in range(OWNERS)]
        if counted:
            await _statistics(test_database)
        owner = owners[3]
        some, item = PLACES[:3], [new_id()]
        statements: list[tuple[str, tuple[Any, ...]]] = [
            (postings.SQL["erase_single"], (some,)),
            (postings.SQL["holding_blocks"], (some,)),
            (postings.SQL["pack"], (new_id(), 0)),
            (postings.SQL["merge"], ([new_id()], new_id(), 1)),
            (postings.SQL["repack"], ([new_id()], ["a"], [MESSAGE], [b""])),
            (search_items.SQL["erase_items"], (item,)),
            (search_items.SQL["retract_items"], (item,)),
            (search_items.SQL["list_unembedded"], (256, 1_200, some)),
            (memories.SQL["list_present_contents"], (["a", "b"],)),
            (memories.SQL["get_recalled"], (item,)),
            (vectors.SQL["erase_vectors"], (some,)),
            (segments.SQL["holding_segments"], (some,)),
        ]
        async with owner.transaction() as connection:
            await connection.execute(BY_KEYS)  # is there a key to read by?
            for statement, arguments in statements:
                nodes = await _plan(connection, statement, owner.owner_id, *arguments)
                assert _indexes(nodes), statement
