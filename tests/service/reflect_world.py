"""The world of ingest with the reflect service beside it, whose thinker is scripted."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import grpc
import pytest

from mnema.v1 import ingest_service_pb2
from mnema.v1 import reflect_service_pb2 as pb
from mnema.v1.reflect_service_pb2_grpc import (
    ReflectServiceStub,
    add_ReflectServiceServicer_to_server,
)
from services.contract.embedder import VectorEmbedder
from services.contract.user import User
from services.ingest.worker import Handler
from services.reflect.digest import Digester
from services.reflect.digest_jobs import DigestJobs
from services.reflect.insights import NewInsight
from services.reflect.servicer import ReflectServicer
from services.runtime.channels import open_channel
from services.runtime.errors import MnemaError
from services.runtime.ids import owner_of
from services.runtime.paging import PageTokens
from services.runtime.server import Service, Servicers
from services.storage.accounts import DatabaseAuthenticator
from services.storage.digests import DigestMemory
from tests.conftest import TestDatabase
from tests.service.ingest_world import (
    USER,
    World,
    a_world,
    until,
)
from tests.service.serving import serving


@dataclass
class ScriptedThinker:
    """Finds one insight a digest. Raises the next of `failures` first; waits for `gate`."""

    failures: list[MnemaError] = field(default_factory=list)
    gate: asyncio.Event | None = None
    read: list[int] = field(default_factory=list)

    async def insights(
        self, memories: Sequence[DigestMemory], known: Sequence[str]
    ) -> list[NewInsight]:
        self.read.append(len(memories))
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        sources = tuple(memory.memory_id for memory in memories[:3])
        return [NewInsight(f"Insight {len(known)} of {len(memories)}.", "pattern", sources)]

    async def state(self, memories: Sequence[DigestMemory]) -> str:
        return ""


@dataclass
class Reflection:
    """The world with the reflect service beside it."""

    world: World
    thinker: ScriptedThinker
    jobs: DigestJobs
    stub: Any

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return self.jobs.handlers()

    @property
    def user(self) -> User:
        tenant_id = self.world.tenant_id
        return User(tenant_id, owner_of(tenant_id, USER), USER)

    async def digest(self, **fields: Any) -> Any:
        return await self.world.call(self.stub.Digest, pb.DigestRequest(user_id=USER, **fields))

    async def get(self, digest_id: str) -> Any:
        request = pb.GetDigestRequest(user_id=USER, digest_id=digest_id)
        return (await self.world.call(self.stub.GetDigest, request)).digest

    async def listed(self, **fields: Any) -> list[Any]:
        request = pb.ListDigestsRequest(user_id=USER, **fields)
        return list((await self.world.call(self.stub.ListDigests, request)).digests)

    async def ended(self, count: int) -> list[Any]:
        """Waits until so many digests are done or failed, and none is under way."""

        async def all_ended() -> bool:
            states = [digest.state for digest in await self.listed(page_size=1000)]
            over = (pb.DIGEST_STATE_DONE, pb.DIGEST_STATE_FAILED)
            return len(states) >= count and all(state in over for state in states)

        await until(all_ended)
        return await self.listed(page_size=1000)

    async def counted(self) -> int:
        (row,) = await self.world.fetch("SELECT undigested_messages FROM users")
        return int(row["undigested_messages"])

    async def insights(self) -> list[str]:
        rows = await self.world.fetch(
            "SELECT content FROM memories WHERE memory_type = 'insight' ORDER BY recorded_at"
        )
        return [row["content"] for row in rows]


@asynccontextmanager
async def reflecting(world: World) -> AsyncIterator[Reflection]:
    async with AsyncExitStack() as stack:
        thinker = ScriptedThinker()
        channel = open_channel(world.settings.peers.vector, world.settings, stack)
        digester = Digester(world.database, thinker, VectorEmbedder(channel))
        tokens = PageTokens(world.settings.internal_key)
        attempts = world.settings.extraction.max_attempts
        servicer = ReflectServicer(world.database, digester, tokens, attempts)
        service = Service("mnema.v1.ReflectService", servicer, add_ReflectServiceServicer_to_server)
        target = Servicers(services=(service,), authenticator=DatabaseAuthenticator(world.database))
        address = await stack.enter_async_context(serving(target, world.settings))
        own = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        jobs = DigestJobs(world.database, digester, world.settings.extraction)
        yield Reflection(world, thinker, jobs, ReflectServiceStub(own))


@pytest.fixture
async def reflection(test_database: TestDatabase) -> AsyncIterator[Reflection]:
    async with a_world(test_database) as world, reflecting(world) as made:
        yield made


async def say_all(world: World, count: int, session_id: str = "s", role: str = "user") -> None:
    messages = [
        ingest_service_pb2.NewMessage(role=role, content=f"thing {uuid4().hex}")
        for _ in range(count)
    ]
    request = ingest_service_pb2.IngestBatchRequest(
        user_id=USER, session_id=session_id, messages=messages
    )
    await world.call(world.ingest.IngestBatch, request)
