"""Imported histories: what was said later counts, in whatever order it is extracted."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1 import ingest_service_pb2 as pb
from tests.conftest import TestDatabase
from tests.service.ingest_world import USER, World, a_world

FIRST, SECOND = datetime(2023, 5, 8, tzinfo=UTC), datetime(2023, 9, 3, tzinfo=UTC)


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with a_world(test_database, concurrency=1) as made:
        yield made


async def imported(world: World, said: dict[datetime, str]) -> None:
    """Each in a session of its own, extracted one after the other as they stand here."""
    for moment, content in said.items():
        stamp = Timestamp()
        stamp.FromDatetime(moment)
        message = pb.NewMessage(role="user", content=content, speaker="Alice", said_at=stamp)
        request = pb.IngestBatchRequest(user_id=USER, messages=[message])
        await world.call(world.ingest.IngestBatch, request)
        async with world.working(None):
            await world.settled()


@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST)], ids=["forth", "back"])
async def test_the_home_said_last_is_the_present_one(
    world: World, order: tuple[datetime, datetime]
) -> None:
    said = {FIRST: "I live in Berlin.", SECOND: "I live in Lisbon."}
    await imported(world, {moment: said[moment] for moment in order})
    present = await world.fetch(
        "SELECT content, event_at FROM memories"
        " WHERE slot LIKE '%/location' AND retracted_at IS NULL"
    )
    assert [tuple(row) for row in present] == [("Alice lives in Lisbon.", SECOND)]
    profile = await world.fetch(
        "SELECT value FROM key_values WHERE key = 'location' AND retracted_at IS NULL"
    )
    assert [row["value"] for row in profile] == ["Lisbon"]
    edges = await world.fetch(
        "SELECT target_id, valid_from, valid_to FROM graph_edges"
        " WHERE edge_type = 'LIVES_IN' AND retracted_at IS NULL ORDER BY valid_from"
    )
    assert [tuple(row) for row in edges] == [
        ("berlin", FIRST, SECOND),
        ("lisbon", SECOND, None),
    ]


async def test_what_ended_in_the_past_ended_then(world: World) -> None:
    await imported(world, {FIRST: "I work at Google.", SECOND: "I left Google."})
    edges = await world.fetch(
        "SELECT target_id, valid_from, valid_to FROM graph_edges"
        " WHERE edge_type = 'WORKS_AT' AND retracted_at IS NULL"
    )
    assert [tuple(row) for row in edges] == [("google", FIRST, SECOND)]
