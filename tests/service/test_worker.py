"""The worker: every message becomes memory once, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from uuid import UUID

import asyncpg
import pytest

from mnema.v1 import conversation_service_pb2 as conversation_pb
from mnema.v1 import ingest_service_pb2 as pb
from mnema.v1.types_pb2 import ExtractionState
from services.providers.llm.base import MalformedAnswer
from services.runtime.errors import ResourceExhausted, Unavailable
from services.runtime.ids import OwnerId, new_id
from services.runtime.scope import Scope
from services.storage import jobs
from tests.conftest import TestDatabase
from tests.patience import PATIENCE
from tests.service.ingest_world import USER, ScriptedExtractor, World, a_world, until

DONE = ExtractionState.EXTRACTION_STATE_DONE
FAILED = ExtractionState.EXTRACTION_STATE_FAILED
RUNNING = ExtractionState.EXTRACTION_STATE_RUNNING


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with a_world(test_database) as made:
        yield made


async def say_all(world: World, contents: list[str], session_id: str = "s") -> None:
    messages = [pb.NewMessage(role="user", content=content) for content in contents]
    request = pb.IngestBatchRequest(user_id=USER, session_id=session_id, messages=messages)
    await world.call(world.ingest.IngestBatch, request)


async def memories(world: World) -> list[str]:
    rows = await world.fetch("SELECT content FROM memories WHERE retracted_at IS NULL ORDER BY 1")
    return [row["content"] for row in rows]


async def states(world: World) -> set[str]:
    rows = await world.fetch("SELECT DISTINCT extraction_state FROM messages")
    return {row["extraction_state"] for row in rows}


async def test_messages_become_memories_graph_and_profile(world: World) -> None:
    extractor = ScriptedExtractor()
    await say_all(world, ["tea", "chess"])
    async with world.working(extractor):
        status = await world.settled()
    assert status.failed_extractions == 0
    assert await memories(world) == ["Alice mentioned chess.", "Alice mentioned tea."]
    (extraction,) = await world.extractions()
    assert (extraction.state, extraction.attempts, extraction.error) == (DONE, 1, "")
    assert extraction.messages_processed == 2
    assert (extraction.facts_extracted, extraction.triples_extracted) == (2, 2)
    assert extraction.extractor == "scripted"
    assert extraction.HasField("finished_at")
    assert await states(world) == {"done"}
    paths = await world.fetch(
        "SELECT position, node_type, node_id FROM pathways JOIN memories USING (memory_id)"
        " WHERE content LIKE '%tea.' ORDER BY position"
    )
    assert [tuple(row) for row in paths] == [(0, "USER", "alice"), (1, "CONCEPT", "tea")]
    nodes = await world.fetch("SELECT node_id FROM graph_nodes ORDER BY 1")
    assert [row["node_id"] for row in nodes] == ["alice", "chess", "tea"]
    assert await world.count("graph_edges") == 2
    (profile,) = await world.fetch("SELECT value FROM key_values WHERE namespace = 'profile'")
    assert profile["value"] == ["tea", "chess"]


async def test_messages_and_memories_are_embedded_in_one_call_each_once(world: World) -> None:
    await world.say("tea", speaker="Alice")
    async with world.working(ScriptedExtractor()):
        await world.settled()
    assert sorted(world.vectors.texts) == ["Alice mentioned tea.", "Alice: tea"]
    assert world.vectors.users == {USER}
    assert await world.count("search_items") == 2
    assert await world.count("unembedded") == 0


async def test_the_local_extractor_end_to_end(world: World) -> None:
    await world.say("I live in Berlin and I work at Siemens.", speaker="Alice")
    async with world.working(None):
        await world.settled()
    found = await memories(world)
    assert any("Berlin" in content for content in found)
    (extraction,) = await world.extractions()
    assert (extraction.state, extraction.extractor) == (DONE, "local")


async def test_long_sessions_are_taken_in_batches_in_order(test_database: TestDatabase) -> None:
    async with a_world(test_database, max_batch_messages=4, max_batch_characters=30) as world:
        extractor = ScriptedExtractor()
        contents = [f"n{n}" for n in range(9)] + ["x" * 25, "y" * 25, "z" * 40]
        await say_all(world, contents)
        async with world.working(extractor):
            await world.settled()
    batches = [[message.content for message in batch.messages] for batch in extractor.batches]
    assert sorted(content for batch in batches for content in batch) == sorted(contents)
    assert sorted(map(len, batches)) == [1, 1, 2, 4, 4]
    assert all(batch == sorted(batch, key=contents.index) for batch in batches)


async def test_a_job_that_runs_twice_changes_nothing(world: World) -> None:
    extractor = ScriptedExtractor(gate=asyncio.Event())
    assert extractor.gate is not None
    await world.say("tea")
    (row,) = await world.fetch("SELECT payload FROM pgqueuer WHERE entrypoint = 'extract'")
    async with world.working(extractor):
        await until(lambda: _called(extractor, 1))
        # The queue hands the same job out again, as it does when a heartbeat was late.
        connection = await queue_connection(world)
        await connection.execute(
            "INSERT INTO pgqueuer (entrypoint, payload, priority, status)"
            " VALUES ($1, $2, 10, 'queued')",
            jobs.EXTRACT,
            row["payload"],
        )
        await connection.close()
        await until(lambda: _called(extractor, 2))
        extractor.gate.set()
        await world.settled()
        await until(lambda: _empty(world))
    assert await memories(world) == ["Alice mentioned tea."]
    assert await world.count("memories") == 1
    assert await world.count("graph_edges") == 1
    assert await world.count("key_values") == 1
    (extraction,) = await world.extractions()
    assert (extraction.state, extraction.attempts) == (DONE, 1)


async def queue_connection(world: World) -> "asyncpg.Connection[asyncpg.Record]":
    dsn = world.settings.database.dsn.get_secret_value()
    return await asyncpg.connect(dsn, server_settings={"mnema.queue": "on"})


async def _called(extractor: ScriptedExtractor, times: int) -> bool:
    return len(extractor.batches) >= times


async def _embedded(world: World) -> bool:
    return bool((await world.status()).pending_embeddings == 0)


async def _empty(world: World) -> bool:
    return await world.count("pgqueuer") == 0


async def test_a_worker_that_is_cancelled_gives_its_job_back(world: World) -> None:
    stuck = ScriptedExtractor(gate=asyncio.Event())
    await world.say("tea")
    async with world.working(stuck) as worker:
        await until(lambda: _called(stuck, 1))
        worker.cancel()
        await asyncio.wait({worker}, timeout=PATIENCE)
        assert worker.cancelled()
    assert (await world.status()).running_extractions == 1
    async with world.working(ScriptedExtractor()):
        await world.settled()
    assert await memories(world) == ["Alice mentioned tea."]
    assert await states(world) == {"done"}


async def test_the_job_of_a_worker_that_fell_silent_is_taken_up(world: World) -> None:
    await world.say("tea")
    connection = await queue_connection(world)
    # What a worker leaves that was killed: a job that it had picked, and no more heartbeats.
    await connection.execute(
        "UPDATE pgqueuer SET status = 'picked', queue_manager_id = gen_random_uuid(),"
        " heartbeat = now() - interval '1 minute'"
    )
    await connection.close()
    async with world.working(ScriptedExtractor()):
        await world.settled()
    assert await memories(world) == ["Alice mentioned tea."]


async def test_a_stopping_worker_lets_running_jobs_end(world: World) -> None:
    extractor = ScriptedExtractor(gate=asyncio.Event())
    assert extractor.gate is not None
    await world.say("tea")
    async with world.working(extractor):
        await until(lambda: _called(extractor, 1))
        await until(lambda: _embedded(world))  # else that job might not even have begun
        asyncio.get_running_loop().call_later(0.5, extractor.gate.set)
    assert await memories(world) == ["Alice mentioned tea."]
    assert await world.count("pgqueuer") == 0


async def test_failures_are_shown_and_tried_again(test_database: TestDatabase) -> None:
    async with a_world(test_database, backoff_seconds=600) as world:
        extractor = ScriptedExtractor(failures=[Unavailable("the model is overloaded")])
        await world.say("tea")
        async with world.working(extractor):
            await until(lambda: _attempted(world, 1))
            (extraction,) = await world.extractions()
            assert (extraction.state, extraction.error) == (RUNNING, "the model is overloaded")
            assert extraction.error_reason == "PROVIDER_UNAVAILABLE"
            assert (await world.status()).running_extractions == 1
            await world.passes(600)
            await world.settled()
        (extraction,) = await world.extractions()
        assert (extraction.state, extraction.attempts, extraction.error) == (DONE, 2, "")
        assert await memories(world) == ["Alice mentioned tea."]


async def _attempted(world: World, times: int) -> bool:
    return [extraction.attempts for extraction in await world.extractions()] == [times]


async def test_a_provider_that_asks_for_a_pause_gets_it(world: World) -> None:
    extractor = ScriptedExtractor(failures=[ResourceExhausted("slow down", retry_after=3600)])
    await world.say("tea")
    async with world.working(extractor):
        await until(lambda: _attempted(world, 1))
        rows = await world.fetch(
            "SELECT execute_after - now() > interval '50 minutes' AS later FROM pgqueuer"
            " WHERE entrypoint = 'extract' AND status = 'queued'"
        )
        assert [row["later"] for row in rows] == [True]
        assert len(extractor.batches) == 1
        await world.passes(3600)
        await world.settled()
    assert len(extractor.batches) == 2


async def test_after_the_last_attempt_it_has_failed_until_it_is_retried(world: World) -> None:
    failures: list[Exception] = [MalformedAnswer("no JSON"), ZeroDivisionError(), Unavailable("x")]
    extractor = ScriptedExtractor(failures=failures)
    await world.say("tea")
    async with world.working(extractor):
        status = await world.settled()
        assert (status.failed_extractions, status.running_extractions) == (1, 0)
        (extraction,) = await world.extractions()
        assert (extraction.state, extraction.attempts) == (FAILED, 3)
        assert extraction.error_reason == "PROVIDER_UNAVAILABLE"
        assert extraction.HasField("finished_at")
        assert await states(world) == {"failed"}
        assert await memories(world) == []
        assert world.vectors.texts == ["tea"]  # found by its meaning all the same
        retry = pb.RetryFailedExtractionsRequest(user_id=USER)
        answer = await world.call(world.ingest.RetryFailedExtractions, retry)
        assert list(answer.extraction_ids) == [extraction.extraction_id]
        again = await world.call(world.ingest.RetryFailedExtractions, retry)
        assert list(again.extraction_ids) == []
        status = await world.settled()
    assert status.failed_extractions == 0
    (extraction,) = await world.extractions()
    assert (extraction.state, extraction.attempts, extraction.error) == (DONE, 4, "")
    assert await memories(world) == ["Alice mentioned tea."]
    assert await states(world) == {"done"}


async def test_a_bug_in_an_extractor_is_recorded(test_database: TestDatabase) -> None:
    async with a_world(test_database, max_attempts=1) as world:
        await world.say("tea")
        async with world.working(ScriptedExtractor(failures=[KeyError("secret")])):
            await world.settled()
        (extraction,) = await world.extractions()
        assert (extraction.state, extraction.error_reason) == (FAILED, "INTERNAL")
        assert "KeyError" in extraction.error
        assert "secret" not in extraction.error


async def test_an_extractor_that_hangs_is_given_up(test_database: TestDatabase) -> None:
    async with a_world(test_database, timeout_seconds=0.3, max_attempts=1) as world:
        await world.say("tea")
        async with world.working(ScriptedExtractor(gate=asyncio.Event())):
            await world.settled()
        (extraction,) = await world.extractions()
        assert (extraction.state, extraction.error_reason) == (FAILED, "DEADLINE_EXCEEDED")


async def test_only_the_named_extractions_are_retried(test_database: TestDatabase) -> None:
    async with a_world(test_database, max_attempts=1) as world:
        extractor = ScriptedExtractor(failures=[Unavailable("1"), Unavailable("2")])
        await world.say("tea", "one")
        await world.say("chess", "two")
        async with world.working(extractor):
            status = await world.settled()
            assert status.failed_extractions == 2
            chosen = (await world.extractions())[0]
            retry = pb.RetryFailedExtractionsRequest(
                user_id=USER, extraction_ids=[chosen.extraction_id, str(new_id())], max_retries=1
            )
            answer = await world.call(world.ingest.RetryFailedExtractions, retry)
            assert list(answer.extraction_ids) == [chosen.extraction_id]
            status = await world.settled()
        assert status.failed_extractions == 1


async def test_without_embeddings_the_extraction_is_not_repeated(world: World) -> None:
    extractor = ScriptedExtractor()
    world.vectors.down = True
    await world.say("tea")
    async with world.working(extractor):
        await until(lambda: _attempted(world, 1))
        assert await memories(world) == ["Alice mentioned tea."]
        status = await world.status()
        assert (status.running_extractions, status.pending_embeddings) == (0, 2)
        world.vectors.down = False
        await world.settled()
    assert len(extractor.batches) == 1
    assert sorted(world.vectors.texts) == ["Alice mentioned tea.", "tea"]


async def test_a_closed_session_is_extracted_now(test_database: TestDatabase) -> None:
    async with a_world(test_database, delay_seconds=3600) as world:
        await world.say("tea")
        async with world.working(ScriptedExtractor()):
            request = conversation_pb.CloseSessionRequest(user_id=USER, session_id="s")
            await world.call(world.conversations.CloseSession, request)
            await world.settled()
        assert await memories(world) == ["Alice mentioned tea."]


async def test_what_comes_during_an_extraction_gets_the_next_one(world: World) -> None:
    extractor = ScriptedExtractor(gate=asyncio.Event())
    assert extractor.gate is not None
    await world.say("tea")
    async with world.working(extractor):
        await until(lambda: _called(extractor, 1))
        await world.say("chess")
        await until(lambda: _called(extractor, 2))
        extractor.gate.set()
        await world.settled()
    assert [[m.content for m in batch.messages] for batch in extractor.batches] == [
        ["tea"],
        ["chess"],
    ]
    assert len(await memories(world)) == 2


async def test_the_worker_outlives_its_connections(
    world: World, test_database: TestDatabase
) -> None:
    extractor = ScriptedExtractor()
    async with world.working(extractor) as worker:
        await world.say("tea", "one")
        await until(lambda: _called(extractor, 1))
        await world.settled()
        superuser = await asyncpg.connect(test_database.superuser_dsn)
        killed = await superuser.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await superuser.close()
        assert killed
        await world.say("chess", "two")
        await world.settled()
        assert not worker.done()
    assert len(await memories(world)) == 2


async def test_other_jobs_plug_in_and_come_back_when_they_fail(world: World) -> None:
    seen: list[Mapping[str, str]] = []

    async def delete(payload: Mapping[str, str]) -> None:
        seen.append(payload)
        if len(seen) == 1:
            raise RuntimeError("a bug")
        if len(seen) == 2:
            raise Unavailable("the bucket is away")

    async with world.database.transaction(_scope()) as connection:
        await jobs.enqueue(connection, jobs.DELETE_OBJECT, {"object_key": "k"})
    async with world.working(ScriptedExtractor(), {jobs.DELETE_OBJECT: delete}):
        await until(lambda: _empty(world))
    assert seen == [{"object_key": "k"}] * 3


def _scope() -> Scope:
    return Scope(owner_id=OwnerId(UUID(int=1)))


async def test_many_users_at_once(world: World) -> None:
    users = [f"user {n}" for n in range(12)]
    for user in users:
        request = pb.IngestRequest(user_id=user, role="user", content="tea", session_id="s")
        await world.call(world.ingest.Ingest, request)
    extractor = ScriptedExtractor()

    async def all_done() -> bool:
        request = [pb.GetIngestStatusRequest(user_id=user) for user in users]
        statuses = [await world.call(world.ingest.GetIngestStatus, each) for each in request]
        return all(status == pb.GetIngestStatusResponse() for status in statuses)

    async with world.working(extractor):
        await until(all_done)
    assert sorted(batch.user_id for batch in extractor.batches) == sorted(users)
