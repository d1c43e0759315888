"""Putting the worker together: the jobs of ingest, of reflect and of files."""

from contextlib import AsyncExitStack

from services.app.settings import Settings
from services.files.object_jobs import ObjectJobs
from services.files.target import open_objects
from services.ingest import target as ingest
from services.providers.llm.base import LlmProvider
from services.providers.llm.factory import create_llm
from services.reflect.target import digest_jobs
from services.runtime.database import Database
from services.runtime.server import Servicers
from services.storage.call_log import CallLog


async def build_worker(settings: Settings, stack: AsyncExitStack) -> Servicers:
    """The worker target: every kind of job there is. Calls the vector service."""
    database = await stack.enter_async_context(Database.open(settings.database))
    objects = await open_objects(settings, stack)
    calls = await stack.enter_async_context(CallLog.open(database, settings.events))
    # Rules may extract where a model digests.
    by_llm = settings.extraction.extractor == "llm"
    thinking = _llm(settings, stack, calls, "digest")
    return await ingest.build_worker(
        settings,
        stack,
        llm=_llm(settings, stack, calls, "extraction") if by_llm else None,
        handlers={
            **ObjectJobs(database, objects).handlers(),
            **digest_jobs(settings, stack, database, thinking).handlers(),
        },
    )


def _llm(
    settings: Settings, stack: AsyncExitStack, calls: CallLog, purpose: str
) -> LlmProvider | None:
    """The configured model, which tells of its calls and what they are for; None: there is none."""
    llm = create_llm(settings.llm, calls.llm(purpose))
    if llm is not None:
        stack.push_async_callback(llm.close)
    return llm
