"""Puts the reflect service together."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from mnema.v1 import (
    analytics_service_pb2_grpc,
    lifecycle_service_pb2_grpc,
    reflect_service_pb2_grpc,
)
from services.contract.embedder import VectorEmbedder
from services.providers.llm.base import LlmProvider
from services.providers.llm.factory import create_llm
from services.providers.llm.settings import LlmSettings
from services.providers.objects.factory import open_object_storage
from services.providers.objects.settings import ObjectSettings
from services.reflect.analytics.servicer import AnalyticsServicer
from services.reflect.digest import Digester
from services.reflect.digest_jobs import DigestJobs
from services.reflect.lifecycle.exporting import Exporter
from services.reflect.lifecycle.importing import Importer
from services.reflect.lifecycle.limits import TransferLimits
from services.reflect.lifecycle.servicer import LifecycleServicer
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

    @property
    def objects(self) -> ObjectSettings:
        """The settings that say where the bytes of files lie: exports have them."""

    @property
    def home(self) -> Path:
        """The folder of local state: bytes are in its folder "files" unless told, and imports
        on their way in files without a name.
        """


async def build_reflect(settings: ReflectSettings, stack: AsyncExitStack) -> Servicers:
    """The reflect target: thinks with the configured LLM, or by rules where there is none."""
    database = await stack.enter_async_context(Database.open(settings.database))
    calls = await stack.enter_async_context(CallLog.open(database, settings.events))
    llm = create_llm(settings.llm, calls.llm("digest"))
    if llm is not None:
        stack.push_async_callback(llm.close)
    tokens = PageTokens(settings.internal_key)
    digester = _digester(settings, stack, database, llm)
    objects = await open_object_storage(settings.objects, settings.home, stack)
    limits = TransferLimits()
    importer = Importer(database, objects, limits, settings.home)
    lifecycle = LifecycleServicer(database, Exporter(database, objects, limits), importer)
    return Servicers(
        services=(
            Service(
                "mnema.v1.ReflectService",
                ReflectServicer(database, digester, tokens, settings.extraction.max_attempts),
                reflect_service_pb2_grpc.add_ReflectServiceServicer_to_server,
            ),
            Service(
                "mnema.v1.AnalyticsService",
                AnalyticsServicer(database, tokens),
                analytics_service_pb2_grpc.add_AnalyticsServiceServicer_to_server,
            ),
            Service(
                "mnema.v1.LifecycleService",
                lifecycle,
                lifecycle_service_pb2_grpc.add_LifecycleServiceServicer_to_server,
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
