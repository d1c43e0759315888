"""Putting the worker together: the jobs of ingest, and those of files."""

from contextlib import AsyncExitStack

from services.app.settings import Settings
from services.files.object_jobs import ObjectJobs
from services.files.target import open_objects
from services.ingest import target as ingest
from services.providers.llm.base import LlmProvider
from services.providers.llm.factory import create_llm
from services.runtime.database import Database
from services.runtime.server import Servicers
from services.storage.call_log import CallLog


async def build_worker(settings: Settings, stack: AsyncExitStack) -> Servicers:
    """The worker target: every kind of job there is. Calls the vector service."""
    database = await stack.enter_async_context(Database.open(settings.database))
    objects = await open_objects(settings, stack)
    calls = await stack.enter_async_context(CallLog.open(database, settings.events))
    return await ingest.build_worker(
        settings,
        stack,
        llm=_llm(settings, stack, calls),
        handlers=ObjectJobs(database, objects).handlers(),
    )


def _llm(settings: Settings, stack: AsyncExitStack, calls: CallLog) -> LlmProvider | None:
    """The model of the "llm" extractor, where that is what extracts."""
    if settings.extraction.extractor != "llm":
        return None
    llm = create_llm(settings.llm, calls.llm("extraction"))
    if llm is not None:
        stack.push_async_callback(llm.close)
    return llm
