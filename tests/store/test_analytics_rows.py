"""Counts of a large memory: exact, and by the keys made for them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.runtime.database import Connection
from services.runtime.opening import SET_BY_KEYS
from services.storage import analytics
from services.storage.memory_accesses import count_accesses
from tests.conftest import TestDatabase
from tests.store.owners import Owner, new_owner, opened
from tests.store.plans import analyze, plan_nodes

BY_KEYS = "SELECT set_config('plan_cache_mode', 'force_generic_plan', true)" + SET_BY_KEYS
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
NOW = datetime.now(UTC)
# One memory an hour, the newest now; every tenth was superseded a day after it was stored.
FILL = """
INSERT INTO memories (owner_id, item_id, memory_id, memory_type, content, first_recorded_at,
                      recorded_at, retracted_at)
SELECT $1, gen_random_uuid(), gen_random_uuid(), (ARRAY['fact', 'episodic', 'insight'])[1 + n % 3],
       'memory ' || n, stored, stored, CASE WHEN n % 10 = 0 THEN stored + interval '1 day' END
FROM generate_series(0, $3 - 1) AS n,
     LATERAL (SELECT $2::timestamptz - n * interval '1 hour') AS t (stored)
"""


NODES = """
INSERT INTO graph_nodes (owner_id, node_type, node_id, name, name_id)
SELECT $1, 'PERSON', 'p' || n, 'p' || n, 'p' || n FROM generate_series(1, 2000) AS n
"""


async def _fill(owner: Owner, memories: int) -> None:
    async with owner.transaction() as connection:
        await connection.execute(FILL, owner.owner_id, NOW, memories)
        await connection.execute(NODES, owner.owner_id)


@pytest.fixture
async def owner(test_database: TestDatabase) -> AsyncIterator[Owner]:
    async with opened(test_database) as database:
        yield await new_owner(database)


def _expected(memories: int, as_of: datetime, weeks: int) -> tuple[dict[str, int], dict[str, int]]:
    """What stands at a moment, worked out memory by memory."""
    by_type: dict[str, int] = {}
    by_week: dict[str, int] = {}
    monday = (as_of - timedelta(days=as_of.weekday())).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    for n in range(memories):
        stored = NOW - timedelta(hours=n)
        gone = stored + timedelta(days=1) if n % 10 == 0 else None
        if stored > as_of or (gone is not None and gone <= as_of):
            continue
        kind = ("fact", "episodic", "insight")[n % 3]
        by_type[kind] = by_type.get(kind, 0) + 1
        if stored >= monday - timedelta(weeks=weeks - 1):
            year, week, _ = stored.isocalendar()
            label = f"{year}-W{week:02d}"
            by_week[label] = by_week.get(label, 0) + 1
    return by_type, dict(sorted(by_week.items()))


@pytest.mark.parametrize("weeks", [1, 12, 60])
async def test_memories_are_counted_as_they_stood(owner: Owner, weeks: int) -> None:
    await _fill(owner, 5_000)
    moments = [NOW - timedelta(hours=hours) for hours in (0.5, 12.5, 1_000.5, 4_000.5)]
    async with owner.transaction() as connection:
        for moment in moments:
            counts = await analytics.count_memories(connection, owner.owner_id, weeks, moment)
            by_type, by_week = _expected(5_000, moment, weeks)
            assert counts.by_type == by_type
            assert list(counts.by_week.items()) == list(by_week.items())
        # Now: the superseded ones of the last day are gone already, whenever that will be.
        counts = await analytics.count_memories(connection, owner.owner_id, weeks, None)
        assert sum(counts.by_type.values()) == 5_000 - 500


async def test_of_a_memory_of_100_000_no_more_is_read_than_needed(
    test_database: TestDatabase, owner: Owner
) -> None:
    others = [await new_owner(owner.database, f"user-{number}") for number in range(3)]
    for each in (owner, *others):
        await _fill(each, 100_000 if each is owner else 2_000)
    await analyze(test_database)
    async with owner.transaction() as connection:
        await connection.execute(BY_KEYS)
        read = await _indexes(connection, analytics.SQL["count_memories"], owner.owner_id, 12)
        assert read == {"ix_memories_present": "Index Only Scan"}
        counts = await analytics.count_memories(connection, owner.owner_id, 12, None)
        assert sum(counts.by_type.values()) == 90_000
        cold = await analytics.list_cold(connection, owner.owner_id, 90, 50, None)
        assert len(cold) == 50
        page = (owner.owner_id, 90, None, None, 50)
        (explained,) = await connection.fetchval(EXPLAIN + analytics.SQL["list_cold"], *page)
        # The rows of the page, their rows, and the way to each.
        assert max(node["Actual Rows"] for node in plan_nodes(explained["Plan"])) <= 50
        assert (
            explained["Plan"]["Shared Hit Blocks"] + explained["Plan"]["Shared Read Blocks"] < 500
        )


async def test_every_statement_reads_the_users_own_range_of_a_key(
    test_database: TestDatabase, owner: Owner
) -> None:
    for number in range(4):
        await _fill(await new_owner(owner.database, f"user-{number}"), 2_000)
    await _fill(owner, 2_000)
    await analyze(test_database)
    moment = NOW
    statements: dict[str, tuple[tuple[Any, ...], set[str]]] = {
        "count_memories": ((12,), {"ix_memories_present"}),
        "count_memories_as_of": ((12, moment), set()),
        "count_others": (
            (),
            {
                *("uq_graph_nodes_present", "ix_graph_edges_until"),
                "ix_messages_retracted",
            },
        ),
        "count_others_as_of": ((moment,), {"ix_messages_retracted"}),
        "list_cold": (
            (90, None, None, 50),
            {"ix_memories_present", "ix_memory_accesses_last", "pk_memory_accesses"},
        ),
        "newest_at": (([1, 2], None), set()),
        "scan_memories": (("%a%", None, 50), set()),
        "scan_messages": (("%a%", None, 50), set()),
        "memories_through": ((["PERSON"], ["ann"], None, 20), {"ix_pathways_node_memory"}),
    }
    # Beside those named any key of the user's will do: what is nearly empty is read by any.
    assert statements.keys() == analytics.SQL.keys()
    async with owner.transaction() as connection:
        await connection.execute(BY_KEYS)
        for name, (arguments, indexes) in statements.items():
            read = await _indexes(connection, analytics.SQL[name], owner.owner_id, *arguments)
            assert indexes <= set(read), (name, read)
            if name == "count_memories":
                assert read["ix_memories_present"] == "Index Only Scan"


async def _indexes(connection: Connection, statement: str, *arguments: Any) -> dict[str, str]:
    """How each index is read; asserts that no table is read without one."""
    (explained,) = await connection.fetchval("EXPLAIN (FORMAT JSON) " + statement, *arguments)
    nodes = list(plan_nodes(explained["Plan"]))
    assert [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"] == []
    scans = [node for node in nodes if "Index Name" in node]
    assert all("owner_id =" in node["Index Cond"] for node in scans)
    return {node["Index Name"]: node["Node Type"] for node in scans}


async def test_cold_memories_come_coldest_first_and_page_by_page(owner: Owner) -> None:
    await _fill(owner, 400)  # 17 days
    accessed: list[tuple[Any, datetime]] = []
    async with owner.transaction() as connection:
        every = await analytics.list_cold(connection, owner.owner_id, 0, 1_000, None)
        assert len(every) == 360
        assert all(each.access is None for each in every)
        stored = [each.row.first_recorded_at for each in every]
        assert stored == sorted(stored)
        # Of the ten oldest every second was recalled since: two days ago, or just now.
        for number, each in enumerate(every[:10:2]):
            at = NOW - timedelta(days=2 if number % 2 else 0)
            await count_accesses(connection, owner.owner_id, [each.row.memory_id] * 2, at)
            accessed.append((each.row.memory_id, at))
    async with owner.transaction() as connection:
        cold = await analytics.list_cold(connection, owner.owner_id, 1, 1_000, None)
        warm = {memory_id for memory_id, at in accessed if at == NOW}
        assert {each.row.memory_id for each in cold}.isdisjoint(warm)
        since = [each.cold_since for each in cold]
        assert since == sorted(since)
        assert since[-1] <= datetime.now(UTC) - timedelta(days=1)
        idle = {each.row.memory_id: each.access for each in cold}
        for memory_id, at in accessed:
            if at != NOW:
                access = idle[memory_id]
                assert access is not None
                assert (access.count, access.last_at) == (2, at)
        # Page by page it is the same list.
        paged: list[analytics.ColdMemory] = []
        after = None
        while page := await analytics.list_cold(connection, owner.owner_id, 1, 7, after):
            paged += page
            after = page[-1].cold_since, page[-1].row.memory_id
        assert [each.row.memory_id for each in paged] == [each.row.memory_id for each in cold]
