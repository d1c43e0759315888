"""Memories, messages and edges in the order in which they happened."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.runtime.ids import new_id
from services.storage import timeline
from services.storage.graph import NodeRef, Statement, state
from services.storage.memories import retract_memory
from services.storage.memory_rows import MemoryRow, NewMemory
from services.storage.messages import MessageRow, NewMessage, insert_messages
from services.storage.sessions import reserve_sequences
from services.storage.timeline import Entry, Span, list_timeline
from tests.conftest import TestDatabase
from tests.store.memory_world import World, world
from tests.store.plans import analyze, plan_of

__all__ = ["world"]  # the fixture


def day(number: int) -> datetime:
    return datetime(2026, 3, number, tzinfo=UTC)


async def tell(world: World, *days: int) -> None:
    """A message, a memory and an edge of each day, in the order given."""
    for number in days:
        async with world.writing() as connection:
            owner_id = world.owner.owner_id
            reserved = await reserve_sequences(connection, owner_id, {"s": 1})
            said = NewMessage(
                new_id(), "s", reserved["s"].last, "user", f"said {number}", said_at=day(number)
            )
            await insert_messages(connection, owner_id, [said], "done")
            town = NodeRef("LOCATION", f"town_{number}", f"Town {number}")
            visited = Statement(
                NodeRef("PERSON", "ann", "Ann"), "VISITED", "", town,
                content=f"visited {number}", valid_from=day(number),
            )  # fmt: skip
            await state(connection, owner_id, [visited])
        await world.remember(NewMemory("episodic", f"learnt {number}", event_at=day(number)))


async def listed(world: World, span: Span, limit: int = 100) -> list[Entry]:
    """All of it, in pages of `limit`."""
    found: list[Entry] = []
    while True:
        after = found[-1].place if found else None
        async with world.owner.transaction() as connection:
            page = await list_timeline(connection, world.owner.owner_id, span, limit, after)
        found += page
        if len(page) < limit:
            return found


def contents(entries: Sequence[Entry]) -> list[str]:
    return [entry.thing.content for entry in entries]


IN_ORDER = [
    f"{what} {number}" for number in (1, 2, 5) for what in ("visited", "learnt", "said")
]  # of one moment in the order of their kinds: edge, memory, message


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
async def test_everything_comes_once_in_its_order_on_whatever_pages(
    world: World, limit: int
) -> None:
    await tell(world, 5, 1, 2)
    assert contents(await listed(world, Span(), limit)) == IN_ORDER
    newest = await listed(world, Span(newest_first=True), limit)
    assert contents(newest) == IN_ORDER[::-1]
    assert [entry.happened_at for entry in newest] == [
        day(number) for number in (5, 5, 5, 2, 2, 2, 1, 1, 1)
    ]


async def test_a_span_is_half_open_and_kinds_choose(world: World) -> None:
    await tell(world, 1, 2, 5)
    second = await listed(world, Span(start=day(2), end=day(5)))
    assert contents(second) == IN_ORDER[3:6]
    assert contents(await listed(world, Span(("message",), end=day(5)))) == ["said 1", "said 2"]
    assert [type(entry.thing) for entry in second[1:]] == [MemoryRow, MessageRow]
    assert contents(await listed(world, Span(start=day(6)))) == []


async def test_as_of_tells_what_stood_then(world: World) -> None:
    await tell(world, 1)
    (tea,) = await world.remember(NewMemory("fact", "likes tea", event_at=day(3)))
    async with world.owner.transaction() as connection:
        moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    async with world.writing() as connection:
        await retract_memory(connection, world.owner.owner_id, tea.memory_id)
    await tell(world, 2)
    then = await listed(world, Span(as_of=moment))
    assert contents(then) == [*IN_ORDER[:3], "likes tea"]
    assert isinstance(then[-1].thing, MemoryRow)
    assert then[-1].thing.retracted_at is None  # nobody knew it then
    assert contents(await listed(world, Span())) == IN_ORDER[:6]
    assert contents(await listed(world, Span(as_of=moment - timedelta(days=1)))) == []


async def test_a_page_is_read_from_the_indexes(world: World, test_database: TestDatabase) -> None:
    new = [NewMemory("fact", f"fact {n}", event_at=day(1) + timedelta(n)) for n in range(3000)]
    await world.remember(*new)
    owner_id = world.owner.owner_id
    async with world.writing() as connection:
        reserved = await reserve_sequences(connection, owner_id, {"s": 3000})
        said = [
            NewMessage(new_id(), "s", n + 1, "user", "x", said_at=day(1) + timedelta(n))
            for n in range(reserved["s"].last)
        ]
        await insert_messages(connection, owner_id, said, "done")
        statements = [
            Statement(
                NodeRef("PERSON", "ann", "Ann"), "VISITED", "", NodeRef("LOCATION", f"t{n}", ""),
                valid_from=day(1) + timedelta(n),
            )
            for n in range(3000)
        ]  # fmt: skip
        await state(connection, owner_id, statements)
    await analyze(test_database)
    for beyond, order in ((">", "ASC"), ("<", "DESC")):
        statement = timeline.SQL["entries"].replace("{beyond}", beyond).replace("{order}", order)
        middle = day(1) + timedelta(1500)
        plan = await plan_of(
            world.owner, statement, owner_id, list(timeline.KINDS), middle, middle + timedelta(900),
            None, middle, "memory", new_id(), 10,
        )  # fmt: skip
        for index in ("ix_memories_happened", "ix_messages_said", "ix_graph_edges_true"):
            assert index in plan, plan
        assert "Seq Scan" not in plan
