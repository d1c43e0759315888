"""What was under way when a user was erased adds nothing, though the user be there anew."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from services.contract.user import User
from services.ingest.embedding import EmbeddingJobs
from services.ingest.ingest_metrics import JobMetrics
from services.ingest.precedence import Precedence
from services.recall.accesses import AccessCounter
from services.reflect.digest import Digester
from services.reflect.thinking import RuleThinker
from services.runtime.errors import Unavailable
from services.runtime.ids import new_id, owner_of
from services.runtime.scope import Scope
from services.storage import deletions, digest_runs
from services.storage.announcements import EMBEDDING_CACHE
from services.storage.foundation import EmbeddingSpace, register_user
from services.storage.key_values import set_values
from tests.conftest import TestDatabase
from tests.patience import PATIENCE
from tests.service.ingest_world import USER, ScriptedExtractor, World, a_world, until, vector_of


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with a_world(test_database) as made:
        yield made


class HeldEmbedder:
    """Embeds once it is let; `failing` is what it does instead."""

    def __init__(self, failing: Exception | None = None) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.failing = failing

    async def embed(self, user: User, texts: Sequence[str], space: EmbeddingSpace) -> list[Any]:
        self.asked += texts
        await self.gate.wait()
        if self.failing is not None:
            raise self.failing
        return [vector_of(text) for text in texts]


class PlainEmbedder:
    """For digests."""

    async def embed(self, texts: Sequence[str], space: EmbeddingSpace) -> list[Any]:
        return [vector_of(text) for text in texts]


def user_of(world: World) -> User:
    return User(world.tenant_id, owner_of(world.tenant_id, USER), USER)


async def erase(world: World) -> None:
    user = user_of(world)

    async def work(connection: Any) -> None:
        await deletions.erase_user(connection, user.tenant_id, user.owner_id, user.user_id)

    await world.database.run(Scope(world.tenant_id), work)


async def contents(world: World, table: str = "memories") -> list[str]:
    return sorted(row["content"] for row in await world.fetch(f"SELECT content FROM {table}"))


async def jobs_of(world: World) -> list[str]:
    rows = await world.fetch("SELECT entrypoint FROM pgqueuer ORDER BY 1")
    return [row["entrypoint"] for row in rows]


def embedding_jobs(world: World, embedder: HeldEmbedder) -> EmbeddingJobs:
    return EmbeddingJobs(world.database, embedder, JobMetrics(), Precedence(), 0.05)


@pytest.mark.parametrize("again", [False, True])
async def test_an_extraction(world: World, again: bool) -> None:
    await world.say("tea")
    extractor = ScriptedExtractor(gate=asyncio.Event())
    async with world.working(extractor):

        async def asked() -> bool:
            return len(extractor.batches) == 1

        await until(asked)
        await erase(world)
        if again:
            await world.say("chess")  # in a session of the same name
        assert extractor.gate is not None
        extractor.gate.set()
        await world.settled()
    expected = ["Alice mentioned chess."] if again else []
    assert await contents(world) == expected
    assert len(await world.fetch("SELECT FROM graph_edges")) == len(expected)
    assert len(await world.fetch("SELECT FROM extractions")) == len(expected)
    assert await world.count("users") == int(again)


async def test_an_extraction_that_fails(world: World) -> None:
    await world.say("tea")
    extractor = ScriptedExtractor(failures=[Unavailable("away")], gate=asyncio.Event())
    async with world.working(extractor):

        async def asked() -> bool:
            return len(extractor.batches) == 1

        await until(asked)
        await erase(world)
        assert extractor.gate is not None
        extractor.gate.set()
        await world.settled()
    assert await jobs_of(world) == []
    assert await world.count("extractions") == 0


async def test_an_embedding_meets_another_text_at_its_place(world: World) -> None:
    await world.say("the old secret")
    embedder = HeldEmbedder()
    running = asyncio.create_task(embedding_jobs(world, embedder).run(user_of(world).payload()))

    async def asked() -> bool:
        return bool(embedder.asked)

    await until(asked)
    (old,) = await world.fetch("SELECT place FROM search_items")
    await erase(world)
    await world.say("new words")
    (new,) = await world.fetch("SELECT place FROM search_items")
    assert old == new
    embedder.gate.set()
    await running
    assert embedder.asked == ["the old secret", "new words"]
    (stored,) = await world.fetch("SELECT embedding FROM vectors_1")
    vector = stored["embedding"].to_numpy().astype(float)
    assert np.dot(vector, vector_of("new words")) == pytest.approx(1, abs=0.01)


async def test_an_embedding_of_one_who_is_gone(world: World) -> None:
    await world.say("tea")
    for embedder in (HeldEmbedder(), HeldEmbedder(Unavailable("no model"))):
        await world.say("more tea")
        running = asyncio.create_task(embedding_jobs(world, embedder).run(user_of(world).payload()))

        async def asked(embedder: HeldEmbedder = embedder) -> bool:
            return bool(embedder.asked)

        await until(asked)
        await erase(world)
        embedder.gate.set()
        await running
        assert await world.count("vectors_1") == await world.count("codes_1") == 0
        assert await jobs_of(world) == []


async def test_counts_of_what_was_recalled(world: World) -> None:
    await world.say("tea")
    async with world.working(ScriptedExtractor()):
        await world.settled()
    (memory,) = await world.fetch("SELECT memory_id FROM memories")
    counter = AccessCounter(world.database)
    counter.count(user_of(world).scope, [str(memory["memory_id"])])
    await counter.flush()
    assert await world.count("memory_accesses") == 1
    counter.count(user_of(world).scope, [str(memory["memory_id"])])
    await erase(world)
    await counter.flush()
    assert await world.count("memory_accesses") == 0


async def test_processes_are_told_to_forget_embeddings(world: World) -> None:
    await world.say("tea")
    heard = asyncio.Event()
    async with world.database.listening() as connection:
        await connection.add_listener(EMBEDDING_CACHE, lambda *_: heard.set())
        await erase(world)
        await asyncio.wait_for(heard.wait(), PATIENCE)


@pytest.mark.parametrize("again", [False, True])
async def test_a_digest(world: World, again: bool) -> None:
    await world.say("tea")
    async with world.working(ScriptedExtractor()):
        await world.settled()
    user = user_of(world)
    digester = Digester(world.database, RuleThinker(), PlainEmbedder())
    async with world.database.transaction(user.scope) as connection:
        digest_id = new_id()
        await digest_runs.insert_running(connection, user.owner_id, digest_id, 50)
    thought = await digester.think(await digester.read(user, 50))
    assert thought.memories
    await erase(world)
    if again:
        async with world.database.transaction(user.scope) as connection:
            await register_user(connection, user.owner_id, user.tenant_id, user.user_id)

    async def store(connection: Any) -> Any:
        return await digester.store(connection, user, digest_id, thought)

    assert await world.database.run(user.scope, store) is None
    for table in ("memories", "digests", "emotion_profiles", "search_items"):
        assert await world.count(table) == 0


async def test_a_writer_half_way_is_waited_for(world: World) -> None:
    """And one that comes while a user is being erased writes afterwards."""
    user = user_of(world)
    async with world.database.transaction(user.scope) as connection:
        await register_user(connection, user.owner_id, user.tenant_id, user.user_id)

        async def waiting() -> int:
            found: int = await connection.fetchval(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            return found

        async def erasing_waits() -> bool:
            return await waiting() == 1

        async def both_wait() -> bool:
            return await waiting() == 2

        erasing = asyncio.create_task(erase(world))
        await until(erasing_waits)
        later = asyncio.create_task(world.say("later"))
        await until(both_wait)
        assert not erasing.done()
        assert not later.done()
        await set_values(connection, user.owner_id, "space", {"key": datetime.now(UTC).isoformat()})
    await erasing
    await later
    assert await world.count("key_values") == 0
    assert await contents(world, "messages") == ["later"]
