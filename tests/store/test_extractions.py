"""Extractions: committed once and whole, failed visibly, and started anew."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import asyncpg
import numpy as np
import pytest

from services.runtime.database import Connection
from services.runtime.ids import new_id
from services.storage import extractions, messages, sessions
from services.storage.extraction_commit import Findings, ProfileChange, commit_findings
from services.storage.extractions import Failure
from services.storage.foundation import active_space
from services.storage.graph import Statement
from services.storage.memory_rows import NewMemory
from services.storage.messages import NewMessage
from services.storage.places import message_place
from services.storage.relations import named
from services.storage.search_items import index_items
from tests.conftest import TestDatabase
from tests.store.indexed import indexed
from tests.store.owners import Owner, new_owner, opened
from tests.store.plans import analyze as analyze_tables
from tests.store.plans import plan_of

ALICE, TEA, CHESS = named("USER", "alice"), named("CONCEPT", "tea"), named("CONCEPT", "chess")


@pytest.fixture
async def user(test_database: TestDatabase) -> AsyncIterator[Owner]:
    async with opened(test_database) as database:
        yield await new_owner(database)


async def begin(user: Owner, *, max_attempts: int = 3) -> tuple[UUID, UUID]:
    """A running extraction of one message; both their ids."""
    extraction_id, message_id = new_id(), new_id()
    async with user.transaction() as connection:
        owner_id = user.owner_id
        reserved = await sessions.reserve_sequences(connection, owner_id, {"s": 1})
        message = NewMessage(message_id, "s", reserved["s"].last, "user", "I like tea")
        await messages.insert_messages(connection, owner_id, [message], "pending")
        place = message_place(reserved["s"].number, message.sequence, 0)
        item = indexed(message_id, "message", message.content, place=place)
        await index_items(connection, owner_id, [item])
        await extractions.insert_extraction(
            connection,
            owner_id,
            extraction_id,
            session_id="s",
            max_attempts=max_attempts,
            messages=1,
            extractor="local",
        )
        await messages.assign_extraction(connection, owner_id, [message_id], extraction_id)
    return extraction_id, message_id


async def found(connection: Connection, extraction_id: UUID, message_id: UUID) -> Findings:
    space = await active_space(connection)
    vector = np.ones(space.dims, dtype=np.float32) / np.sqrt(space.dims)
    source = (message_id,)
    return Findings(
        memories=(
            NewMemory("preference", "Alice likes tea.", vector=vector, source_message_ids=source),
            NewMemory("episodic", "Alice played chess.", source_message_ids=source),
        ),
        paths=((ALICE, TEA), (ALICE, CHESS)),
        statements=(Statement(ALICE, "HOBBY", "", CHESS, extraction_id=extraction_id),),
        profile=(
            ProfileChange("likes", "tea", "append"),
            ProfileChange("likes", ["Tea", "chess"], "append"),
            ProfileChange("mood", "fine", "set"),
        ),
        extractor="local",
        duration_ms=12,
        space=space,
    )


TABLES = (
    "memories",
    "search_items",
    "postings",
    "pathways",
    "graph_nodes",
    "graph_edges",
    "key_values",
)


async def contents(user: Owner) -> dict[str, list[str]]:
    """Every row of what an extraction writes."""
    async with user.transaction() as connection:
        return {
            table: [
                str(tuple(row))
                for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2, 3")
            ]
            for table in TABLES
        }


async def test_findings_are_committed_once(user: Owner) -> None:
    extraction_id, message_id = await begin(user)
    async with user.transaction() as connection:
        findings = await found(connection, extraction_id, message_id)
        assert await commit_findings(connection, user.owner_id, extraction_id, findings)
    first = await contents(user)
    assert {table: len(rows) for table, rows in first.items() if table != "postings"} == {
        "memories": 2, "search_items": 3, "pathways": 4, "graph_nodes": 3, "graph_edges": 1,
        "key_values": 2,
    }  # fmt: skip
    async with user.transaction() as connection:
        assert not await commit_findings(connection, user.owner_id, extraction_id, findings)
    assert await contents(user) == first
    async with user.transaction() as connection:
        row = await extractions.get_extraction(connection, user.owner_id, extraction_id)
        (message,) = await messages.messages_of(connection, user.owner_id, extraction_id)
        likes = await connection.fetchval("SELECT value FROM key_values WHERE key = 'likes'")
    assert row is not None
    assert (row.state, row.facts, row.episodes, row.triples) == ("done", 1, 1, 1)
    assert (row.attempts, row.duration_ms, row.extractor) == (1, 12, "local")
    assert message.extraction_state == "done"
    assert likes == ["tea", "chess"]


async def test_the_same_found_again_later_adds_nothing_new(user: Owner) -> None:
    for _ in range(2):
        extraction_id, message_id = await begin(user)
        async with user.transaction() as connection:
            findings = await found(connection, extraction_id, message_id)
            findings = replace(findings, memories=findings.memories[:1], paths=findings.paths[:1])
            assert await commit_findings(connection, user.owner_id, extraction_id, findings)
    counts = {table: len(rows) for table, rows in (await contents(user)).items()}
    assert (counts["memories"], counts["pathways"], counts["graph_edges"]) == (1, 2, 1)
    assert counts["key_values"] == 2


async def test_a_commit_that_fails_half_way_leaves_nothing(user: Owner) -> None:
    extraction_id, message_id = await begin(user)
    before = await contents(user)
    with pytest.raises(asyncpg.PostgresError):
        async with user.transaction() as connection:
            findings = await found(connection, extraction_id, message_id)
            vector = np.ones(3, dtype=np.float32)  # of no space there is
            broken = tuple(replace(each, vector=vector) for each in findings.memories)
            findings = replace(findings, memories=broken)
            await commit_findings(connection, user.owner_id, extraction_id, findings)
    assert await contents(user) == before
    async with user.transaction() as connection:
        row = await extractions.get_extraction(connection, user.owner_id, extraction_id)
    assert row is not None
    assert row.state == "running"


async def test_attempts_are_counted_once_each(user: Owner) -> None:
    extraction_id, _ = await begin(user, max_attempts=2)
    failure = Failure("no", "PROVIDER_UNAVAILABLE", "local")

    async def note(begun_with: int) -> tuple[int, bool] | None:
        async with user.transaction() as connection:
            noted = await extractions.note_failure(
                connection, user.owner_id, extraction_id, failure, begun_with=begun_with
            )
        return None if noted is None else (noted.attempts, noted.failed)

    assert await note(0) == (1, False)
    assert await note(0) is None  # another run of the same job
    assert await note(1) == (2, True)
    assert await note(2) is None  # it has failed for good
    async with user.transaction() as connection:
        waiting = await extractions.count_waiting(connection, user.owner_id)
        restarted = await extractions.restart_failed(
            connection, user.owner_id, further_attempts=4, extraction_ids=[], limit=10
        )
        again = await extractions.restart_failed(
            connection, user.owner_id, further_attempts=4, extraction_ids=[], limit=10
        )
        row = await extractions.get_extraction(connection, user.owner_id, extraction_id)
    assert (waiting.failed_extractions, waiting.running_extractions) == (1, 0)
    assert (restarted, again) == ({extraction_id: "s"}, {})
    assert row is not None
    assert (row.state, row.attempts, row.max_attempts, row.finished_at) == ("running", 2, 6, None)
    assert row.error == "no"


async def test_hot_statements_use_their_indexes(user: Owner, test_database: TestDatabase) -> None:
    async with user.transaction() as connection:
        await sessions.reserve_sequences(connection, user.owner_id, {"s": 1})
        await connection.execute(
            "INSERT INTO extractions"
            " (owner_id, extraction_id, session_id, state, max_attempts, recorded_at)"
            " SELECT $1, gen_random_uuid(), 's', CASE n % 100 WHEN 0 THEN 'failed' ELSE 'done' END,"
            " 3, now() - n * interval '1 second' FROM generate_series(1, 4000) AS n",
            user.owner_id,
        )
    await analyze_tables(test_database)
    listing = await plan_of(
        user, extractions.SQL["list_extractions"], user.owner_id, "", "", None, None, 50
    )
    assert "ix_extractions_owner_recorded" in listing
    assert "Sort" not in listing
    waiting = await plan_of(user, extractions.SQL["count_waiting"], user.owner_id)
    assert "ix_extractions_owner_unfinished" in waiting
    assert "Seq Scan on extractions" not in waiting
