"""Vectors come before and apart from extraction, by one waiting job a user."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from services.contract.user import User
from services.ingest.intake import Said, take_in
from services.runtime.ids import owner_of
from services.text.units import units_of
from tests.conftest import TestDatabase
from tests.service.ingest_world import USER, ScriptedExtractor, World, a_world, until

EMBED_JOBS = "pgqueuer WHERE entrypoint = 'embed'"


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with a_world(test_database, concurrency=1) as made:
        yield made


async def embedded(world: World) -> bool:
    return bool((await world.status()).pending_embeddings == 0)


async def taken_up(world: World) -> bool:
    return await world.count(f"{EMBED_JOBS} AND status = 'picked'") == 1


async def test_messages_get_vectors_while_every_extraction_is_stuck(world: World) -> None:
    stuck = ScriptedExtractor(gate=asyncio.Event())
    assert stuck.gate is not None
    await world.say("tea", "one")
    await world.say("chess", "two")
    async with world.working(stuck):
        await until(lambda: embedded(world))
        await world.say("later", "three")
        await until(lambda: embedded(world))
        await until(lambda: called(stuck))
        status = await world.status()
        assert (status.pending_messages, status.running_extractions) == (2, 1)
        assert sorted(world.vectors.texts) == ["chess", "later", "tea"]
        stuck.gate.set()
        await world.settled()
    assert len(world.vectors.texts) == 6  # a memory for each message, and nothing twice


async def test_a_message_that_counts_on_a_waiting_job_is_not_left_behind(world: World) -> None:
    await world.say("first")
    user = User(world.tenant_id, owner_of(world.tenant_id, USER), USER)
    async with AsyncExitStack() as stack:
        async with world.database.transaction(user.scope) as connection:
            said = Said("other", "user", "second")
            units = [units_of(said.content)]
            await take_in(
                connection,
                user,
                [said],
                units,
                world.settings.extraction,
                world.settings.options,
            )
            # The job is taken up while this transaction, which added none, is still open.
            await stack.enter_async_context(world.working(ScriptedExtractor()))
            await until(lambda: taken_up(world))
            await asyncio.sleep(0.3)
        await until(lambda: embedded(world))
    assert "second" in world.vectors.texts


async def test_transactions_that_count_on_one_job_do_not_add_another(world: World) -> None:
    user = User(world.tenant_id, owner_of(world.tenant_id, USER), USER)
    await world.say("first")
    for number in range(3):
        async with world.database.transaction(user.scope) as connection:
            said = Said(f"s{number}", "user", f"message {number}")
            units = [units_of(said.content)]
            await take_in(
                connection,
                user,
                [said],
                units,
                world.settings.extraction,
                world.settings.options,
            )
    assert await world.count(EMBED_JOBS) == 1
    async with world.working(ScriptedExtractor()):
        await world.settled()
    assert {"first", "message 0", "message 1", "message 2"} <= set(world.vectors.texts)


async def test_while_the_model_is_away_one_job_a_user_waits(world: World) -> None:
    world.vectors.down = True
    async with world.working(ScriptedExtractor()):
        for number in range(4):
            await world.say(f"message {number}", f"s{number}")
            await asyncio.sleep(0.2)
        waiting = await world.fetch(
            "SELECT count(*) AS rows FROM pgqueuer WHERE entrypoint = 'embed' AND status = 'queued'"
        )
        assert waiting[0]["rows"] <= 1
        assert (await world.status()).pending_embeddings >= 4
        world.vectors.down = False
        await world.settled()
        await until(lambda: no_jobs(world))
    assert len(set(world.vectors.texts)) == 8  # four messages, four memories


async def test_a_held_job_goes_back_beside_the_one_that_came_after_it(world: World) -> None:
    await world.say("first")
    await world.fetch("UPDATE pgqueuer SET status = 'failed' WHERE entrypoint = 'embed'")
    await world.say("second")
    assert await world.count(EMBED_JOBS) == 2
    async with world.working(ScriptedExtractor()):
        await world.settled()
        await until(lambda: no_jobs(world))
    assert world.vectors.texts.count("first") == world.vectors.texts.count("second") == 1


async def called(extractor: ScriptedExtractor) -> bool:
    return bool(extractor.batches)


async def no_jobs(world: World) -> bool:
    return await world.count("pgqueuer") == 0
