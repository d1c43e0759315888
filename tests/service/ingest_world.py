"""The ingest target, its worker and an embedding server, running; and what tests say to them."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from mnema.v1 import (
    conversation_service_pb2_grpc,
    ingest_service_pb2_grpc,
    key_value_service_pb2_grpc,
)
from mnema.v1 import ingest_service_pb2 as pb
from mnema.v1 import vector_service_pb2 as vector_pb
from mnema.v1.vector_service_pb2_grpc import (
    VectorServiceServicer,
    add_VectorServiceServicer_to_server,
)
from services.ingest.extraction.model import (
    ConversationBatch,
    EntityRef,
    ExtractedMemory,
    ExtractedTriple,
    Extraction,
    Extractor,
    ProfileUpdate,
)
from services.ingest.target import build_ingest, build_worker
from services.ingest.worker import Handler
from services.runtime.config import ExtractionSettings, PeerSettings, RuntimeSettings
from services.runtime.context import current
from services.runtime.database import Database
from services.runtime.errors import Unavailable
from services.runtime.ids import TenantId, owner_of
from services.runtime.scope import Scope
from services.runtime.server import Service, Servicers
from tests.conftest import TEST_SPACE, TestDatabase
from tests.patience import PATIENCE
from tests.service.serving import new_tenant, serving, settings_for

USER = "alice"


@dataclass
class EmbedServicer(VectorServiceServicer):
    """Embeds texts by their hashes: the same text, the same vector. Fails while `down`."""

    down: bool = False
    texts: list[str] = field(default_factory=list)
    users: set[str | None] = field(default_factory=set)

    async def Embed(self, request: vector_pb.EmbedRequest, context: Any) -> vector_pb.EmbedResponse:
        if self.down:
            raise Unavailable("the model is away", reason="PROVIDER_UNAVAILABLE")
        principal = current().principal
        self.users.add(principal.user_id if principal else None)
        self.texts += request.texts
        embeddings = [vector_pb.Embedding(values=vector_of(text)) for text in request.texts]
        return vector_pb.EmbedResponse(
            embeddings=embeddings, model=TEST_SPACE.model, dimension=TEST_SPACE.dims
        )

    async def Search(self, request: Any, context: Any) -> vector_pb.SearchResponse:
        raise Unavailable("this server only embeds")


def vector_of(text: str) -> Any:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).standard_normal(TEST_SPACE.dims)
    return vector / np.linalg.norm(vector)


@dataclass
class ScriptedExtractor:
    """Finds one fact, one triple and one profile entry in each message.

    Raises the next of `failures` first, as long as there are any; waits for `gate`, if there
    is one, before it answers.
    """

    failures: list[Exception] = field(default_factory=list)
    gate: asyncio.Event | None = None
    batches: list[ConversationBatch] = field(default_factory=list)

    @property
    def name(self) -> str:
        return "llm:scripted"

    async def extract(self, batch: ConversationBatch) -> Extraction:
        self.batches.append(batch)
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        user = EntityRef(batch.user_id, "USER")
        things = [(EntityRef(each.content, "CONCEPT"), each.message_id) for each in batch.messages]
        return Extraction(
            memories=tuple(
                ExtractedMemory(
                    "fact",
                    f"Alice mentioned {thing.name}.",
                    5,
                    0.9,
                    entities=(user, thing),
                    source_message_ids=(source,),
                )
                for thing, source in things
            ),
            triples=tuple(
                ExtractedTriple(
                    user, "CUSTOM", "mentioned", thing, "said so", 0.9, source_message_ids=(source,)
                )
                for thing, source in things
            ),
            profile_updates=tuple(
                ProfileUpdate("topics", thing.name, "append", (source,)) for thing, source in things
            ),
        )


@dataclass
class World:
    """Stubs of a running ingest target, and the database behind it."""

    settings: RuntimeSettings
    database: Database
    tenant_id: TenantId
    key: str
    address: str
    channel: "grpc.aio.Channel"
    vectors: EmbedServicer

    def __post_init__(self) -> None:
        self.ingest: Any = ingest_service_pb2_grpc.IngestServiceStub(self.channel)
        self.conversations: Any = conversation_service_pb2_grpc.ConversationServiceStub(
            self.channel
        )
        self.key_values: Any = key_value_service_pb2_grpc.KeyValueServiceStub(self.channel)

    async def call(self, method: Callable[..., Any], request: Any) -> Any:
        return await method(request, metadata=[("x-api-key", self.key)], timeout=PATIENCE)

    async def say(self, content: str, session_id: str = "s", **fields: Any) -> Any:
        request = pb.IngestRequest(
            user_id=USER, role="user", content=content, session_id=session_id, **fields
        )
        return (await self.call(self.ingest.Ingest, request)).message

    async def status(self) -> Any:
        return await self.call(self.ingest.GetIngestStatus, pb.GetIngestStatusRequest(user_id=USER))

    async def extractions(self) -> list[Any]:
        request = pb.ListExtractionsRequest(user_id=USER)
        return list((await self.call(self.ingest.ListExtractions, request)).extractions)

    async def fetch(self, statement: str, *arguments: object) -> list[Any]:
        """Rows of the user's, as the user's own transaction sees them."""
        scope = Scope(self.tenant_id, owner_of(self.tenant_id, USER), queue=True)
        async with self.database.transaction(scope) as connection:
            return await connection.fetch(statement, *arguments)

    async def count(self, table: str) -> int:
        (row,) = await self.fetch(f"SELECT count(*) AS rows FROM {table}")
        return int(row["rows"])

    async def passes(self, seconds: float) -> None:
        """So much time passes for what waits: what was said and what is queued is older by it."""
        for statement in (
            "UPDATE sessions SET last_message_at = last_message_at - make_interval(secs => $1)",
            "UPDATE pgqueuer SET execute_after = execute_after - make_interval(secs => $1)",
        ):
            await self.fetch(statement, seconds)

    async def settled(self) -> Any:
        """Waits until nothing waits any more; the status then."""

        async def nothing_waits() -> bool:
            status = await self.status()
            return not (
                status.pending_messages or status.running_extractions or status.pending_embeddings
            )

        await until(nothing_waits)
        return await self.status()

    @asynccontextmanager
    async def working(
        self, extractor: Extractor | None, handlers: Mapping[str, Handler] | None = None
    ) -> AsyncIterator["asyncio.Task[None]"]:
        """A worker, until the end of the block; the task may be cancelled before."""
        stop = asyncio.Event()
        async with AsyncExitStack() as stack:
            target = await build_worker(
                self.settings, stack, extractor=extractor, handlers=handlers
            )
            lanes = [each.run(stop) for each in target.background]
            task = asyncio.ensure_future(_all_of(lanes))
            try:
                yield task
            finally:
                stop.set()
                await asyncio.wait({task}, timeout=3 * PATIENCE)
        if not task.cancelled():
            task.result()


async def _all_of(lanes: list[Awaitable[None]]) -> None:
    await asyncio.gather(*lanes)


@asynccontextmanager
async def a_world(test_database: TestDatabase, **extraction: Any) -> AsyncIterator[World]:
    """Everything but a worker, with these settings of extraction."""
    chosen: dict[str, Any] = {
        "delay_seconds": 0,
        "backoff_seconds": 0.05,
        "heartbeat_timeout_seconds": 2,
        "max_attempts": 3,
        **extraction,
    }
    vectors = EmbedServicer()  # type: ignore[abstract]  # nothing else is asked of it
    plain = settings_for(test_database.service_dsn)
    service = Service("mnema.v1.VectorService", vectors, add_VectorServiceServicer_to_server)
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(serving(Servicers(services=(service,)), plain))
        settings = settings_for(
            test_database.service_dsn,
            peers=PeerSettings(vector=peer),
            extraction=ExtractionSettings(**chosen),
        )
        database = await stack.enter_async_context(Database.open(settings.database))
        tenant_id, key = await new_tenant(database)
        target = await build_ingest(settings, stack)
        address = await stack.enter_async_context(serving(target, settings))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        yield World(settings, database, tenant_id, key, address, channel, vectors)


async def until(met: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Waits for a condition, and fails if it is not met in time."""
    deadline = time.monotonic() + seconds
    while not await met():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.05)


async def reason_of(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    """How a call fails: its code, and the reason in its details."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]  # it has both methods
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return caught.value.code(), info.reason


def ids(rows: list[Any], name: str) -> list[UUID]:
    return [UUID(str(row[name])) for row in rows]
