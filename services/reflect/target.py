"""Puts the reflect service together."""

from contextlib import AsyncExitStack
from typing import Protocol

from mnema.v1 import analytics_service_pb2_grpc, reflect_service_pb2_grpc
from services.contract.embedder import VectorEmbedder
from services.providers.llm.factory import create_llm
from services.providers.llm.settings import LlmSettings
from services.reflect.analytics.servicer import AnalyticsServicer
from services.reflect.digest import Digester
from services.reflect.servicer import ReflectServicer
from services.reflect.thinking import LlmThinker, RuleThinker, Thinker
from services.runtime.channels import ChannelSettings, open_channel
from services.runtime.config import DatabaseSettings, PeerSettings
from services.runtime.database import Database
from services.runtime.paging import PageTokens
from services.runtime.server import Service, Servicers
from services.storage.accounts import DatabaseAuthenticator


class ReflectSettings(ChannelSettings, Protocol):
    """What this target needs of the settings."""

    @property
    def database(self) -> DatabaseSettings:
        """PostgreSQL."""

    @property
    def peers(self) -> PeerSettings:
        """Where the vector service is."""

    @property
    def llm(self) -> LlmSettings:
        """Who thinks; none: rules."""


async def build_reflect(settings: ReflectSettings, stack: AsyncExitStack) -> Servicers:
    """The reflect target: thinks with the configured LLM, or by rules where there is none."""
    database = await stack.enter_async_context(Database.open(settings.database))
    llm = create_llm(settings.llm)
    thinker: Thinker = RuleThinker()
    if llm is not None:
        stack.push_async_callback(llm.close)
        thinker = LlmThinker(llm)
    embedder = VectorEmbedder(open_channel(settings.peers.vector, settings, stack))
    servicer = ReflectServicer(database, Digester(database, thinker, embedder))
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
