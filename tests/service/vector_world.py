"""The vector target with its real model, running, and two users' ways to call it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from mnema.v1 import memory_service_pb2_grpc, vector_service_pb2_grpc
from mnema.v1 import vector_service_pb2 as vector_pb
from services.app.settings import Settings
from services.providers.embeddings.settings import EmbeddingSettings
from services.providers.rerank.settings import RerankSettings
from services.runtime.config import ServerSettings
from services.runtime.database import Database
from services.runtime.ids import TenantId
from services.vector.target import build_vector
from tests.conftest import TEST_SPACE, TestDatabase
from tests.patience import database_settings
from tests.service.serving import INTERNAL_KEY, new_tenant, serving

USER = "alice"
MODELS = Path(__file__).parents[2] / "build" / "models"
LOCAL = EmbeddingSettings()
OFF = RerankSettings()
LOCAL_MODEL = "all-MiniLM-L6-v2"
# Nothing listens on the discard port: a remote model that is down.
DOWN = EmbeddingSettings(
    provider="openai",
    base_url="http://127.0.0.1:9/v1",
    model=LOCAL_MODEL,
    dims=TEST_SPACE.dims,
    max_retries=0,
)


@dataclass
class World:
    """A running vector target, a tenant of it, and that tenant's stubs."""

    database: Database
    address: str
    tenant_id: TenantId
    vector: Any
    memories: Any

    async def search(self, query: str, **fields: Any) -> vector_pb.SearchResponse:
        request = vector_pb.SearchRequest(user_id=USER, query=query, **fields)
        response: vector_pb.SearchResponse = await self.vector.Search(request)
        return response

    def another_tenant(self) -> "AbstractAsyncContextManager[World]":
        """The same server, called with another tenant's key."""
        return _called(self.database, self.address)


class _Keyed(grpc.aio.UnaryUnaryClientInterceptor):
    """Sends a key with each call."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        metadata = (("authorization", f"Bearer {self._key}"),)
        return await continuation(details._replace(metadata=metadata), request)


@asynccontextmanager
async def _called(database: Database, address: str) -> AsyncIterator[World]:
    tenant_id, key = await new_tenant(database)
    async with grpc.aio.insecure_channel(address, interceptors=[_Keyed(key)]) as channel:
        yield World(
            database,
            address,
            tenant_id,
            vector_service_pb2_grpc.VectorServiceStub(channel),
            memory_service_pb2_grpc.MemoryServiceStub(channel),
        )


@asynccontextmanager
async def vector_world(
    test_database: TestDatabase,
    embedding: EmbeddingSettings = LOCAL,
    rerank: RerankSettings = OFF,
) -> AsyncIterator[World]:
    """A tenant and the target, on a database of its own whose vectors are the local model's."""
    superuser = await asyncpg.connect(test_database.superuser_dsn)
    await superuser.execute("UPDATE embedding_spaces SET model = $1 WHERE active", LOCAL_MODEL)
    await superuser.close()
    settings = Settings(
        internal_key=INTERNAL_KEY,
        database=database_settings(test_database.service_dsn),
        server=ServerSettings(port=0),
        embedding=embedding,
        rerank=rerank,
        model_folder=MODELS,
    )
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(settings.database))
        servicers = await build_vector(settings, stack)
        address = await stack.enter_async_context(serving(servicers, settings))
        yield await stack.enter_async_context(_called(database, address))


def refusal(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    """The code of a failed call, the reason and the metadata."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it asks for what both have
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return error.code(), info.reason, dict(info.metadata)


async def refused(call: Any) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    """Awaits a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value)
