"""Digests that a worker makes: asked for, or due after enough was said."""

import asyncio
import sys
from uuid import uuid4

import grpc

from mnema.v1 import reflect_service_pb2 as pb
from services.contract.digest_job import DigestJob, queue_digest
from services.runtime.errors import Unavailable
from tests.service.ingest_world import (
    USER,
    ScriptedExtractor,
    reason_of,
    until,
)
from tests.service.reflect_world import Reflection, ScriptedThinker, reflection, say_all
from tests.service.test_triggers import choose

__all__ = ["reflection"]  # the fixture

AWAY = Unavailable("the model is away", reason="PROVIDER_UNAVAILABLE")


async def test_a_digest_is_due_once_an_interval(reflection: Reflection) -> None:
    world = reflection.world
    async with world.working(ScriptedExtractor(), reflection.handlers):
        await asyncio.gather(
            *(say_all(world, 1, f"session {number % 7}") for number in range(60)),
            *(say_all(world, 1, f"session {number % 7}", "assistant") for number in range(30)),
        )
        await world.settled()
        digests = await reflection.ended(3)
    assert [digest.trigger for digest in digests] == [pb.DIGEST_TRIGGER_INTERVAL] * 3
    assert [digest.attempts for digest in digests] == [1] * 3
    # Each found the memories of the messages that made it due.
    read = sum(digest.memories_analyzed for digest in digests)
    assert read == sum(reflection.thinker.read)
    assert read >= 60
    assert await reflection.counted() == 0


async def test_what_is_over_counts_towards_the_next_one(reflection: Reflection) -> None:
    world = reflection.world
    await choose(world, reflection_interval=3)
    async with world.working(ScriptedExtractor(), reflection.handlers):
        await say_all(world, 2)
        await world.settled()
        assert await reflection.listed() == []
        await say_all(world, 5)  # seven by now
        await world.settled()
        assert len(await reflection.ended(1)) == 1
        assert await reflection.counted() == 1
        await say_all(world, 2)
        await world.settled()
        assert len(await reflection.ended(2)) == 2


async def test_without_an_interval_none_is_made(reflection: Reflection) -> None:
    world = reflection.world
    await choose(world, reflection_interval=0)
    async with world.working(ScriptedExtractor(), reflection.handlers):
        await say_all(world, 25)
        await world.settled()
        assert await reflection.listed() == []
        assert await reflection.counted() == 25


async def test_a_digest_that_was_asked_for_counts_anew(reflection: Reflection) -> None:
    world = reflection.world
    async with world.working(ScriptedExtractor(), reflection.handlers):
        await say_all(world, 15)
        await world.settled()
        first = await reflection.digest()
        assert first.memories_analyzed == 15
        await say_all(world, 15)
        await world.settled()
        assert await reflection.counted() == 15
        (digest,) = await reflection.listed()
        assert (digest.digest_id, digest.trigger) == (first.digest_id, pb.DIGEST_TRIGGER_CALL)
        assert not (await reflection.digest(background=True)).insights
        await reflection.ended(2)
        assert await reflection.counted() == 0


async def test_messages_of_a_failed_extraction_count_when_it_succeeds(
    reflection: Reflection,
) -> None:
    world = reflection.world
    await choose(world, reflection_interval=2)
    extractor = ScriptedExtractor(failures=[AWAY, AWAY])
    async with world.working(extractor, reflection.handlers):
        await say_all(world, 2)
        await world.settled()
        (digest,) = await reflection.ended(1)
    assert digest.memories_analyzed == 2


async def test_a_digest_in_the_background(reflection: Reflection) -> None:
    world = reflection.world
    await world.say("tea")
    request_id = str(uuid4())
    async with world.working(ScriptedExtractor(), reflection.handlers):
        await world.settled()
        asked = await reflection.digest(background=True, batch_size=10, request_id=request_id)
        assert asked == pb.DigestResponse(digest_id=asked.digest_id)
        again = await reflection.digest(background=True, batch_size=10, request_id=request_id)
        assert again == asked
        (listed,) = await reflection.ended(1)
        assert (listed.insights_generated, len(listed.insights)) == (1, 0)
        digest = await reflection.get(asked.digest_id)
        (insight,) = digest.insights
        (memory,) = await world.fetch("SELECT * FROM memories WHERE memory_type = 'insight'")
        assert (insight.memory_id, insight.content) == (
            str(memory["memory_id"]),
            memory["content"],
        )
        assert list(insight.source_memory_ids) == [
            str(source) for source in memory["source_memory_ids"]
        ]
        assert digest.emotion_profile.HasField("last_reflected_at")
        assert digest.HasField("started_at")
        assert digest.HasField("finished_at")
        assert (digest.memories_analyzed, digest.batch_size, digest.attempts) == (1, 10, 1)
        # Without news: nothing is added, and nobody is asked.
        await reflection.digest(background=True)
        newest, _ = await reflection.ended(2)
        assert (newest.memories_analyzed, newest.insights_generated) == (0, 0)
        assert (await reflection.digest()).digest_id == ""
    assert reflection.thinker.read == [1]


async def test_an_unknown_digest(reflection: Reflection) -> None:
    call = reflection.get(str(uuid4()))
    assert await reason_of(call) == (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")


async def test_digests_are_listed_by_page_and_state(reflection: Reflection) -> None:
    made = [(await reflection.digest(background=True)).digest_id for _ in range(3)]
    request = pb.ListDigestsRequest(user_id=USER, page_size=2)
    first = await reflection.world.call(reflection.stub.ListDigests, request)
    request.page_token = first.next_page_token
    second = await reflection.world.call(reflection.stub.ListDigests, request)
    listed = [digest.digest_id for page in (first, second) for digest in page.digests]
    assert listed == list(reversed(made))
    assert second.next_page_token == ""
    assert await reflection.listed(state=pb.DIGEST_STATE_DONE) == []
    assert len(await reflection.listed(state=pb.DIGEST_STATE_PENDING)) == 3


async def test_a_model_that_is_away_is_asked_again(reflection: Reflection) -> None:
    world = reflection.world
    reflection.thinker.failures = [AWAY, AWAY]
    await world.say("tea")
    async with world.working(ScriptedExtractor(), reflection.handlers):
        await world.settled()
        asked = await reflection.digest(background=True)
        await reflection.ended(1)
    digest = await reflection.get(asked.digest_id)
    assert (digest.state, digest.attempts, digest.error) == (pb.DIGEST_STATE_DONE, 3, "")
    assert reflection.thinker.read == [1, 1, 1]


async def test_what_fails_for_good_is_recorded_and_stores_nothing(
    reflection: Reflection,
) -> None:
    world = reflection.world
    reflection.thinker.failures = [AWAY] * 3
    await world.say("tea")
    async with world.working(ScriptedExtractor(), reflection.handlers):
        await world.settled()
        asked = await reflection.digest(background=True)
        await reflection.ended(1)
        digest = await reflection.get(asked.digest_id)
        assert (digest.state, digest.attempts) == (pb.DIGEST_STATE_FAILED, 3)
        assert (digest.error, digest.error_reason) == (AWAY.message, "PROVIDER_UNAVAILABLE")
        assert await reflection.insights() == []
        # The next one reads the same memories.
        assert (await reflection.digest()).memories_analyzed == 1


async def test_a_bug_in_a_thinker_is_recorded(reflection: Reflection) -> None:
    world = reflection.world
    reflection.thinker.failures = [KeyError("secret")] * 3  # type: ignore[list-item]
    await world.say("tea")
    async with world.working(ScriptedExtractor(), reflection.handlers):
        await world.settled()
        await reflection.digest(background=True)
        (digest,) = await reflection.ended(1)
    assert (digest.state, digest.error_reason) == (pb.DIGEST_STATE_FAILED, "INTERNAL")
    assert "KeyError" in digest.error
    assert "secret" not in digest.error


async def test_two_at_once_think_once(reflection: Reflection) -> None:
    world, thinker = reflection.world, reflection.thinker
    await world.say("tea")
    async with world.working(ScriptedExtractor(), reflection.handlers):
        await world.settled()
        thinker.gate = asyncio.Event()
        for _ in range(3):
            await reflection.digest(background=True)
        await until(lambda: _has_read(thinker, 1))
        await asyncio.sleep(0.3)
        thinker.gate.set()
        digests = await reflection.ended(3)
    assert thinker.read == [1]
    assert sorted(digest.insights_generated for digest in digests) == [0, 0, 1]
    assert len(await reflection.insights()) == 1


async def test_two_calls_at_once_store_once(reflection: Reflection) -> None:
    world = reflection.world
    await world.say("tea")
    async with world.working(ScriptedExtractor()):
        await world.settled()
    answers = await asyncio.gather(*(reflection.digest() for _ in range(4)))
    assert sum(answer.insights_generated for answer in answers) == 1
    assert len(await reflection.insights()) == 1


async def test_a_job_that_is_broken_off_or_runs_twice_changes_nothing(
    reflection: Reflection,
) -> None:
    world, thinker = reflection.world, reflection.thinker
    await world.say("tea")
    async with world.working(ScriptedExtractor()):
        await world.settled()
    user = reflection.user
    async with world.database.transaction(user.scope) as connection:
        digest_id = await queue_digest(connection, user, "call", batch_size=50, max_attempts=3)
    payload = DigestJob(user, digest_id).payload()
    thinker.gate = asyncio.Event()
    broken = asyncio.create_task(reflection.jobs.run(payload))
    await until(lambda: _has_read(thinker, 1))
    broken.cancel()  # as when the worker is killed: its job comes back
    await asyncio.wait({broken})
    assert (await reflection.get(str(digest_id))).state == pb.DIGEST_STATE_RUNNING
    twice = [asyncio.create_task(reflection.jobs.run(payload)) for _ in range(2)]
    await until(lambda: _has_read(thinker, 3))
    thinker.gate.set()
    await asyncio.gather(*twice)
    await reflection.jobs.run(payload)
    digest = await reflection.get(str(digest_id))
    assert (digest.state, digest.attempts, digest.insights_generated) == (
        pb.DIGEST_STATE_DONE,
        1,
        1,
    )
    assert len(await reflection.insights()) == 1


async def test_what_a_killed_worker_was_thinking_over_another_one_does(
    reflection: Reflection,
) -> None:
    world = reflection.world
    await choose(world, reflection_interval=3)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.service.worker_process",
        world.settings.database.dsn.get_secret_value(),
        world.settings.peers.vector,
        "thinking",
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def is_thinking() -> bool:
        return [digest.state for digest in await reflection.listed()] == [pb.DIGEST_STATE_RUNNING]

    try:
        await say_all(world, 3)
        await until(is_thinking)
        process.kill()
        await process.wait()
        async with world.working(ScriptedExtractor(), reflection.handlers):
            (digest,) = await reflection.ended(1)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (digest.state, digest.trigger) == (pb.DIGEST_STATE_DONE, pb.DIGEST_TRIGGER_INTERVAL)
    assert digest.memories_analyzed == 3
    assert len(await reflection.insights()) == 1


async def _has_read(thinker: ScriptedThinker, times: int) -> bool:
    return len(thinker.read) == times
