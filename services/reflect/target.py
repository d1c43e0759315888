"""Puts the reflect service together."""

from contextlib import AsyncExitStack
from typing import Protocol

from pydantic import SecretStr

from mnema.v1 import analytics_service_pb2_grpc, reflect_service_pb2_grpc
from services.contract.embedder import VectorEmbedder
from services.providers.llm.base import LlmProvider
from services.providers.llm.factory import create_llm
from services.providers.llm.settings import LlmSettings
from services.reflect.analytics.servicer import AnalyticsServicer
from services.reflect.digest import Digester
from services.reflect.digest_jobs import DigestJobs
from services.reflect.servicer import ReflectServicer
from services.reflect.thinking import LlmThinker, RuleThinker, Thinker
from services.runtime.channels import ChannelSettings, open_channel
from services.runtime.config import (
    DatabaseSettings,
    EventSettings,
    ExtractionSettings,
    PeerSettings,
)
from services.runtime.database import Database
from services.runtime.paging import PageTokens
from services.runtime.server import Service, Servicers
from services.storage.accounts import DatabaseAuthenticator
from services.storage.call_log import CallLog


class ReflectSettings(ChannelSettings, Protocol):
    """What this target needs of the settings."""

    @property
    def database(self) -> DatabaseSettings:
        """PostgreSQL."""

    @property
    def peers(self) -> PeerSettings:
        """Where the vector service is."""

    @property
    def internal_key(self) -> SecretStr | None:
        """What page tokens are signed with."""

    @property
    def extraction(self) -> ExtractionSettings:
        """How often a job is tried, and when again."""

    @property
    def events(self) -> EventSettings:
        """What is told of calls."""

    @property
    def llm(self) -> LlmSettings:
        """Who thinks; none: rules."""


async def build_reflect(settings: ReflectSettings, stack: AsyncExitStack) -> Servicers:
    """The reflect target: thinks with the configured LLM, or by rules where there is none."""
    database = await stack.enter_async_context(Database.open(settings.database))
    calls = await stack.enter_async_context(CallLog.open(database, settings.events))
    llm = create_llm(settings.llm, calls.llm("digest"))
    if llm is not None:
        stack.push_async_callback(llm.close)
    servicer = ReflectServicer(
        database,
        _digester(settings, stack, database, llm),
        PageTokens(settings.internal_key),
        settings.extraction.max_attempts,
    )
    return Servicers(
        services=(
            Service(
                "mnema.v1.ReflectService",
                servicer,
                reflect_service_pb2_grpc.add_ReflectServiceServicer_to_server,
            ),
            Service(
                "mnema.v1.AnalyticsService",
                AnalyticsServicer(database, PageTokens(settings.internal_key)),
                analytics_service_pb2_grpc.add_AnalyticsServiceServicer_to_server,
            ),
        ),
        authenticator=DatabaseAuthenticator(database),
    )


def digest_jobs(
    settings: ReflectSettings, stack: AsyncExitStack, database: Database, llm: LlmProvider | None
) -> DigestJobs:
    """The worker's part: digests in the background. The caller closes what it passes."""
    digester = _digester(settings, stack, database, llm)
    return DigestJobs(database, digester, settings.extraction)


def _digester(
    settings: ReflectSettings, stack: AsyncExitStack, database: Database, llm: LlmProvider | None
) -> Digester:
    thinker: Thinker = RuleThinker() if llm is None else LlmThinker(llm)
    embedder = VectorEmbedder(open_channel(settings.peers.vector, settings, stack))
    return Digester(database, thinker, embedder)
