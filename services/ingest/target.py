"""Putting the targets `ingest` and `worker` together."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta

from mnema.v1.conversation_service_pb2_grpc import add_ConversationServiceServicer_to_server
from mnema.v1.event_service_pb2_grpc import add_EventServiceServicer_to_server
from mnema.v1.ingest_service_pb2_grpc import add_IngestServiceServicer_to_server
from mnema.v1.key_value_service_pb2_grpc import add_KeyValueServiceServicer_to_server
from services.ingest.conversation_servicer import ConversationServicer
from services.ingest.embedder import RpcEmbedder
from services.ingest.embedding import EmbeddingJobs
from services.ingest.events.event_servicer import EventServicer
from services.ingest.events.wakeups import Wakeups
from services.ingest.events.watching import EventReader, Watchers
from services.ingest.extracting import ExtractionJobs
from services.ingest.extraction.factory import create_extractor
from services.ingest.extraction.model import Extractor
from services.ingest.extraction.settings import ExtractionSettings
from services.ingest.ingest_metrics import ExtractionMetrics, JobMetrics
from services.ingest.ingest_servicer import IngestServicer
from services.ingest.key_value_servicer import KeyValueServicer
from services.ingest.precedence import Precedence
from services.ingest.worker import Handler, Worker, WorkerSettings
from services.providers.llm.base import LlmProvider
from services.runtime.channels import open_channel
from services.runtime.config import RuntimeSettings
from services.runtime.database import Database
from services.runtime.paging import PageTokens
from services.runtime.server import BackgroundTask, Service, Servicers
from services.storage import jobs
from services.storage.accounts import DatabaseAuthenticator


async def build_ingest(settings: RuntimeSettings, stack: AsyncExitStack) -> Servicers:
    """IngestService, ConversationService, KeyValueService and EventService."""
    database = await stack.enter_async_context(Database.open(settings.database))
    tokens = PageTokens(settings.internal_key)
    ingest = IngestServicer(database, settings.extraction, settings.options, tokens)
    wakeups, reader = Wakeups(database), EventReader(database, settings.events)
    watchers = Watchers(reader, wakeups, settings.events)
    return Servicers(
        services=(
            Service(
                "mnema.v1.IngestService",
                ingest,
                add_IngestServiceServicer_to_server,
            ),
            Service(
                "mnema.v1.ConversationService",
                ConversationServicer(database, settings.options, tokens),
                add_ConversationServiceServicer_to_server,
            ),
            Service(
                "mnema.v1.KeyValueService",
                KeyValueServicer(database, tokens),
                add_KeyValueServiceServicer_to_server,
            ),
            Service(
                "mnema.v1.EventService",
                EventServicer(reader, watchers),
                add_EventServiceServicer_to_server,
            ),
        ),
        background=(BackgroundTask("event wake-ups", wakeups.run),),
        drain=(ingest.close, watchers.close),
        authenticator=DatabaseAuthenticator(database),
    )


async def build_worker(
    settings: RuntimeSettings,
    stack: AsyncExitStack,
    *,
    llm: LlmProvider | None = None,
    extractor: Extractor | None = None,
    handlers: Mapping[str, Handler] | None = None,
) -> Servicers:
    """The worker: embedding, extraction, and what `handlers` add, by entrypoint.

    Embedding has a lane of its own: messages that an extraction keeps waiting for its LLM can
    be found by their meaning all the same.
    `llm` is the model of the "llm" extractor; `extractor` takes the place of the configured
    one. The caller closes what it passes.
    """
    database = await stack.enter_async_context(Database.open(settings.database))
    embedder = RpcEmbedder(open_channel(settings.peers.vector, settings, stack))
    precedence = Precedence()
    configured = ExtractionSettings(extractor=settings.extraction.extractor)
    extractions = ExtractionJobs(
        database,
        extractor or create_extractor(configured, llm),
        embedder,
        settings.extraction,
        settings.options,
        ExtractionMetrics(),
        precedence,
    )
    metrics = JobMetrics()
    embeddings = EmbeddingJobs(
        database, embedder, metrics, precedence, settings.extraction.backoff_seconds
    )
    lanes = {
        "embedding worker": _lane(
            settings, settings.worker.embed_concurrency, {jobs.EMBED: embeddings.run}, metrics
        ),
        "worker": _lane(
            settings,
            settings.extraction.concurrency,
            {jobs.EXTRACT: extractions.run, **(handlers or {})},
            metrics,
        ),
    }
    return Servicers(
        background=tuple(BackgroundTask(name, lane.run) for name, lane in lanes.items())
    )


def _lane(
    settings: RuntimeSettings,
    concurrency: int,
    handlers: Mapping[str, Handler],
    metrics: JobMetrics,
) -> Worker:
    """Takes the jobs of these handlers, so many at once."""
    return Worker(
        settings.database,
        WorkerSettings(
            concurrency=concurrency,
            heartbeat_timeout=settings.extraction.heartbeat_timeout_seconds,
            drain=settings.server.drain_seconds,
            backoff=settings.extraction.backoff_seconds,
            events_kept=timedelta(hours=settings.events.retention_hours),
        ),
        handlers,
        metrics,
    )
