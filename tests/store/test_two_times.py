"""Whatever is written, taken back, rolled back and undone: each moment is read as it was.

MNEMA_SEQUENCES sets how many random sequences are tried: 60 by default.
"""

import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.runtime.database import Connection, Database
from services.runtime.ids import new_id
from services.storage import extractions, foundation, rollbacks, sessions
from services.storage.extraction_commit import Findings, ProfileChange, commit_findings
from services.storage.graph import NodeRef, Statement, state
from services.storage.graph_edges import delete_edge
from services.storage.graph_reads import NeighborQuery, edges_near
from services.storage.key_values import delete_values, list_values, set_values
from services.storage.memories import (
    MemoryFilter,
    get_memory,
    list_memories,
    remember,
    retract_memory,
    update_memory,
)
from services.storage.memory_rows import NewMemory
from services.storage.relations import NodeKey
from tests.conftest import TestDatabase
from tests.store.owners import Owner, new_owner, opened
from tests.store.two_times import Edge, Known, Model, Told

SEQUENCES = int(os.environ.get("MNEMA_SEQUENCES", "60"))
SPACES = ("notes", "profile")
PEOPLE = ("ann", "bob")
PLACES = ("rome", "oslo", "bern")

_words = st.sampled_from(["tea", "red wine", "long walks", "the sea", "old maps"])
_slots = st.sampled_from(["", "", "ann/drink", "ann/hobby"])
_times = st.sampled_from([None, None, *(datetime(2020, month, 1, tzinfo=UTC) for month in (1, 6))])
_said = st.builds(Told, _words, _slots, _times, st.none(), st.just(()))
# Evidence: messages of any id.
_sources = st.lists(st.sampled_from([UUID(int=n) for n in range(1, 4)]), unique=True, max_size=2)
_told = st.builds(
    Told, _words, _slots, _times, st.sampled_from([None, 3, 6, 9]), _sources.map(tuple)
)
_edge = st.tuples(
    st.sampled_from(PEOPLE),
    st.sampled_from(["LIVES_IN", "BORN_IN", "VISITED"]),
    st.sampled_from(PLACES),
)
_pair = st.tuples(st.sampled_from(SPACES), st.sampled_from(["a", "b", "c"]))
_which = st.integers(0, 30)
_value = st.sampled_from(["one", "two", "three"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), _told),
        st.tuples(st.just("add"), _told),
        st.tuples(st.just("say_again"), _which, _told),
        st.tuples(st.just("say_again"), _which, _told),
        st.tuples(st.just("ingest"), st.lists(_said, max_size=3), _edge, _value),
        st.tuples(st.just("update"), _which, _words),
        st.tuples(st.just("delete"), _which),
        st.tuples(st.just("set"), _pair, _value),
        st.tuples(st.just("unset"), _pair),
        st.tuples(st.just("state"), _edge),
        st.tuples(st.just("delete_edge"), _which),
        st.tuples(st.just("roll_back"), _which),
        st.tuples(st.just("step_back"), st.integers(1, 3)),
        st.tuples(st.just("undo"), _which),
    ),
    min_size=4,
    max_size=20,
)


def _node(node_type: str, node_id: str) -> NodeRef:
    return NodeRef(node_type, node_id, node_id.title())


def _statement(edge: Edge) -> Statement:
    source, relation, target = edge
    return Statement(_node("PERSON", source), relation, "", _node("LOCATION", target))


class Played:
    """One user, and the model of what is known of it. A method a step, a transaction each."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.model = Model()

    async def play(self, step: tuple[Any, ...]) -> None:
        """One step, and the moment after it."""
        name, *arguments = step
        async with self.owner.transaction() as connection:
            await foundation.lock_owner(connection, self.owner.owner_id)
            await getattr(self, name)(connection, *arguments)
        async with self.owner.transaction() as connection:
            self.model.note(await connection.fetchval("SELECT clock_timestamp()"))

    async def add(self, connection: Connection, told: Told) -> None:
        space = await foundation.active_space(connection)
        (remembered,) = await remember(connection, self.owner.owner_id, [_memory(told)], space)
        self.model.remember(told, remembered)

    async def say_again(self, connection: Connection, which: int, told: Told) -> None:
        """What is known already, as surely and with the evidence of what is told."""
        if not self.model.memories:
            return
        memory_id = sorted(self.model.memories)[which % len(self.model.memories)]
        known = self.model.memories[memory_id]
        await self.add(connection, told._replace(content=known.content, slot=known.slot))

    async def ingest(
        self, connection: Connection, told: list[Told], edge: Edge, value: str
    ) -> None:
        """The findings of an extraction: memories, a statement, and a line of the profile."""
        owner_id, extraction_id = self.owner.owner_id, new_id()
        await sessions.reserve_sequences(connection, owner_id, {"s": 1})
        await extractions.insert_extraction(
            connection, owner_id, extraction_id,
            session_id="s", max_attempts=1, messages=1, extractor="local",
        )  # fmt: skip
        findings = Findings(
            memories=tuple(_memory(each) for each in told),
            paths=tuple((_node("PERSON", "ann"),) for _ in told),
            statements=(_statement(edge),),
            profile=(ProfileChange("a", value, "set"),),
            extractor="local",
            duration_ms=1,
            space=await foundation.active_space(connection),
        )
        before = set(self.model.memories)
        assert await commit_findings(connection, owner_id, extraction_id, findings)
        self.model.state(edge)
        self.model.values["profile", "a"] = value
        # What it calls its memories is not told: they are those that are new.
        rows = await list_memories(connection, owner_id, MemoryFilter(), 1000)
        fresh = {
            (row.content, row.slot): row.memory_id for row in rows if row.memory_id not in before
        }
        for each in told:
            outcome = self.model.outcome(each)
            if outcome == "superseding":
                holder = self.model.holder(each.slot)
                assert holder is not None
                del self.model.memories[holder]
            if outcome in {"added", "superseding"}:
                # One that was superseded within the list is not there: any id will do.
                self.model.memories[fresh.get(each[:2], new_id())] = each

    async def update(self, connection: Connection, which: int, content: str) -> None:
        if not self.model.memories:
            return
        memory_id = sorted(self.model.memories)[which % len(self.model.memories)]
        row = self.model.memories[memory_id]._replace(content=content)
        space = await foundation.active_space(connection)
        present = await get_memory(connection, self.owner.owner_id, memory_id)
        assert present is not None
        await update_memory(connection, self.owner.owner_id, present, _memory(row), space)
        self.model.memories[memory_id] = row

    async def delete(self, connection: Connection, which: int) -> None:
        if not self.model.memories:
            return
        memory_id = sorted(self.model.memories)[which % len(self.model.memories)]
        assert await retract_memory(connection, self.owner.owner_id, memory_id)
        del self.model.memories[memory_id]

    async def set(self, connection: Connection, at: tuple[str, str], value: str) -> None:
        await set_values(connection, self.owner.owner_id, at[0], {at[1]: value})
        self.model.values[at] = value

    async def unset(self, connection: Connection, at: tuple[str, str]) -> None:
        gone = await delete_values(connection, self.owner.owner_id, at[0], [at[1]])
        assert bool(gone) == (self.model.values.pop(at, None) is not None)

    async def state(self, connection: Connection, edge: Edge) -> None:
        await state(connection, self.owner.owner_id, [_statement(edge)])
        self.model.state(edge)

    async def delete_edge(self, connection: Connection, which: int) -> None:
        edges = await _edges(connection, self.owner, None)
        if not edges:
            return
        edge = sorted(edges)[which % len(edges)]
        assert await delete_edge(connection, self.owner.owner_id, edges[edge])
        self.model.edges.remove(edge)

    async def step_back(self, connection: Connection, steps: int) -> None:
        """A rollback to a moment that is only just past."""
        await self.roll_back(connection, -steps - 1)

    async def roll_back(self, connection: Connection, which: int) -> None:
        if not self.model.moments:
            return
        at = which % len(self.model.moments)
        done = await rollbacks.roll_back(connection, self.owner.owner_id, self.model.moments[at][0])
        self.model.roll_back(at, done.rollback_id)

    async def undo(self, connection: Connection, which: int) -> None:
        if not self.model.rollbacks:
            return
        at = which % len(self.model.rollbacks)
        rollback_id = self.model.rollbacks[at][0]
        done = await rollbacks.undo_rollback(connection, self.owner.owner_id, rollback_id)
        self.model.undo(at, done.rollback_id)


def _memory(told: Told) -> NewMemory:
    return NewMemory(
        "fact",
        told.content,
        told.importance,
        slot=told.slot,
        event_at=told.event_at,
        source_message_ids=told.sources,
    )


async def _edges(
    connection: Connection, owner: Owner, as_of: datetime | None
) -> Mapping[Edge, Any]:
    """The edges that were true then, by what they say; each only once."""
    people = [NodeKey("PERSON", name) for name in PEOPLE]
    near = await edges_near(
        connection, owner.owner_id, people, NeighborQuery(100, direction="out", as_of=as_of)
    )
    found = {
        (each.edge.source.node_id, each.edge.edge_type, each.edge.target.node_id): each.edge.edge_id
        for each in near
    }
    assert len(found) == len(near)
    return found


async def read(owner: Owner, as_of: datetime | None) -> Known:
    """What the storage says was known; the search index has to hold the same."""
    async with owner.transaction() as connection:
        rows = await list_memories(connection, owner.owner_id, MemoryFilter(as_of=as_of), 1000)
        values = [
            (space, row.key, row.value)
            for space in SPACES
            for row in await list_values(connection, owner.owner_id, space, limit=100, as_of=as_of)
        ]
        edges = await _edges(connection, owner, as_of)
        indexed = await connection.fetch(
            "SELECT item_id FROM search_items WHERE CASE WHEN $1::timestamptz IS NULL "
            "THEN retracted_at IS NULL "
            "ELSE recorded_at <= $1 AND (retracted_at IS NULL OR retracted_at > $1) END",
            as_of,
        )
    assert all(as_of is None or row.last_refreshed_at <= as_of for row in rows)
    assert sorted(row["item_id"] for row in indexed) == sorted(row.item_id for row in rows)
    return Known(
        frozenset(
            (row.memory_id, row.content, row.slot, row.importance, row.source_message_ids)
            for row in rows
        ),
        frozenset(values),
        frozenset(edges),
    )


@pytest.fixture
async def database(test_database: TestDatabase) -> AsyncIterator[Database]:
    async with opened(test_database) as database:
        yield database


@settings(
    max_examples=SEQUENCES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
async def test_every_moment_is_read_as_it_was(
    database: Database, steps: list[tuple[Any, ...]]
) -> None:
    played = Played(await new_owner(database))
    for step in steps:
        await played.play(step)
        assert await read(played.owner, None) == played.model.known(), step
    for moment, known in played.model.moments:
        assert await read(played.owner, moment) == known
    async with played.owner.transaction() as connection:
        counted = await connection.fetchval("SELECT sum(memories) FROM collection_sizes")
    assert int(counted or 0) == len(played.model.memories)
