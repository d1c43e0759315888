"""Putting the target `vector` together: the only one that holds the embedding model."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from mnema.v1.memory_service_pb2_grpc import add_MemoryServiceServicer_to_server
from mnema.v1.vector_service_pb2_grpc import add_VectorServiceServicer_to_server
from services.providers.embeddings.base import EmbeddingProvider
from services.providers.embeddings.factory import create_embedding_provider
from services.providers.embeddings.settings import EmbeddingSettings
from services.providers.rerank.factory import create_reranker
from services.providers.rerank.settings import RerankSettings
from services.runtime.config import DatabaseSettings, EventSettings
from services.runtime.database import Database, Scope
from services.runtime.errors import FailedPrecondition
from services.runtime.paging import PageTokens
from services.runtime.server import BackgroundTask, Service, Servicers
from services.storage.accounts import DatabaseAuthenticator
from services.storage.call_log import CallLog
from services.storage.foundation import EmbeddingSpace, active_space
from services.vector.forgetting import CacheForgetter
from services.vector.memory_servicer import MemoryServicer
from services.vector.profiles import Profiles
from services.vector.vector_servicer import VectorServicer


class VectorSettings(Protocol):
    """What this target needs of the settings."""

    @property
    def database(self) -> DatabaseSettings:
        """PostgreSQL."""

    @property
    def embedding(self) -> EmbeddingSettings:
        """The model that makes the vectors."""

    @property
    def events(self) -> EventSettings:
        """What is told of calls."""

    @property
    def rerank(self) -> RerankSettings:
        """The model that judges hits again, if any."""

    @property
    def model_dir(self) -> Path:
        """The folder of local models."""

    @property
    def internal_key(self) -> SecretStr | None:
        """What page tokens are sealed with."""


async def build_vector(settings: VectorSettings, stack: AsyncExitStack) -> Servicers:
    """VectorService and MemoryService.

    Takes a second or two to load a local model. FailedPrecondition if the database's active
    embedding space is not that of the configured model.
    """
    database = await stack.enter_async_context(Database.open(settings.database))
    calls = await stack.enter_async_context(CallLog.open(database, settings.events))
    provider = await asyncio.to_thread(
        create_embedding_provider,
        settings.embedding,
        model_dir=settings.model_dir,
        on_call=calls.embedding,
    )
    stack.push_async_callback(provider.close)
    reranker = create_reranker(settings.rerank)
    if reranker is not None:
        stack.push_async_callback(reranker.close)
    space = await _space_of(provider, database)
    tokens = PageTokens(settings.internal_key)
    forgetter = CacheForgetter(provider, database)
    return Servicers(
        services=(
            Service(
                "mnema.v1.VectorService",
                VectorServicer(database, provider, space, Profiles(database), reranker, forgetter),
                add_VectorServiceServicer_to_server,
            ),
            Service(
                "mnema.v1.MemoryService",
                MemoryServicer(database, provider, space, tokens),
                add_MemoryServiceServicer_to_server,
            ),
        ),
        background=(BackgroundTask("embedding-cache", forgetter.listen),),
        authenticator=DatabaseAuthenticator(database),
    )


async def _space_of(provider: EmbeddingProvider, database: Database) -> EmbeddingSpace:
    """The active space, once it is certain that it holds vectors of this model."""
    async with database.transaction(Scope(), readonly=True) as connection:
        space = await active_space(connection)
    if (space.model, space.dims) != (provider.model, provider.dims):
        raise FailedPrecondition(
            f"memories are embedded with {space.model} ({space.dims}), but the configured model "
            f"is {provider.model} ({provider.dims}): run `mnema migrate`",
            metadata={"space": space.model, "model": provider.model},
        )
    return space
