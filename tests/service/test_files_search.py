"""Pieces of files are found by their words at once, and by their meaning once embedded."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from mnema.v1 import file_service_pb2 as pb
from tests.conftest import TestDatabase
from tests.service.files_world import USER, World, files_world, refused, until
from tests.service.vector_world import DOWN, vector_world
from tests.unit.test_file_text import pdf_of

TRIP = "Alice booked the flight to Lisbon for Monday."
GARDEN = "The tomatoes in the garden need water every evening."


@pytest.fixture
async def world(test_database: TestDatabase, tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        vector = await stack.enter_async_context(vector_world(test_database))
        yield await stack.enter_async_context(
            files_world(test_database, tmp_path, vector=vector.address)
        )


async def search(world: World, query: str, **chosen: Any) -> pb.SearchFilesResponse:
    request = pb.SearchFilesRequest(user_id=USER, query=query, **chosen)
    response: pb.SearchFilesResponse = await world.call("SearchFiles", request)
    return response


async def test_pieces_are_found_by_words_and_by_meaning(world: World) -> None:
    pdf = await world.upload("trip.pdf", pdf_of("Nothing here", TRIP), category="travel")
    garden = await world.create_text("garden", GARDEN)
    found = await search(world, "When does the flight to Lisbon leave?")
    assert [hit.chunk.filename for hit in found.hits] == ["trip.pdf"]  # by words, at once
    assert not found.hits[0].relevance.HasField("vector_similarity")
    hit = found.hits[0]
    assert (hit.chunk.file_id, hit.chunk.page, hit.chunk.content) == (pdf.file_id, 2, TRIP)
    assert (hit.score, found.degraded) == (hit.relevance.score, False)

    async def all_embedded() -> bool:
        rows = await world.fetch("SELECT FROM unembedded")
        return not rows

    async with world.working():
        await until(all_embedded)
    best = (await search(world, "watering vegetables")).hits[0]  # no word in common
    assert best.chunk.file_id == garden.file_id
    assert best.relevance.vector_similarity > 0.3
    assert len((await search(world, "Alice", limit=1)).hits) == 1
    only_pdf = await search(world, "watering vegetables", file_types=["PDF"])
    assert {hit.chunk.file_id for hit in only_pdf.hits} == {pdf.file_id}
    only_general = await search(world, "flight to Lisbon", category="general")
    assert {hit.chunk.file_id for hit in only_general.hits} == {garden.file_id}
    assert (await search(await world.another_tenant(), "Lisbon")).hits == []
    await world.delete(garden.file_id)
    left = await search(world, "tomatoes in the garden")
    assert garden.file_id not in {hit.chunk.file_id for hit in left.hits}


async def test_five_are_found_unless_told(world: World) -> None:
    for number in range(7):
        await world.create_text(f"text {number}", f"Lisbon number {number}")
    assert len((await search(world, "Lisbon")).hits) == 5
    assert len((await search(world, "Lisbon", limit=200)).hits) == 7


async def test_without_a_model_words_are_still_found(
    test_database: TestDatabase, tmp_path: Path
) -> None:
    async with (
        vector_world(test_database, DOWN) as vector,
        files_world(test_database, tmp_path, vector=vector.address) as world,
    ):
        await world.create_text("trip", TRIP)
        found = await search(world, "Lisbon")
        assert [hit.chunk.filename for hit in found.hits] == ["trip"]
        assert found.degraded


async def test_without_the_vector_service_search_alone_is_down(
    test_database: TestDatabase, tmp_path: Path
) -> None:
    async with files_world(test_database, tmp_path) as world:
        file = await world.create_text("trip", TRIP)
        code, reason, _ = await refused(search(world, "Lisbon"))
        assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
        assert await world.files() == [file]
