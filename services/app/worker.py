"""Putting the worker together: the jobs of ingest, of reflect and of files."""

from contextlib import AsyncExitStack

from services.app.settings import Settings
from services.files.object_jobs import ObjectJobs
from services.files.target import open_objects
from services.ingest import target as ingest
from services.providers.llm.factory import create_llm
from services.reflect.target import digest_jobs
from services.runtime.database import Database
from services.runtime.server import Servicers


async def build_worker(settings: Settings, stack: AsyncExitStack) -> Servicers:
    """The worker target: every kind of job there is. Calls the vector service."""
    database = await stack.enter_async_context(Database.open(settings.database))
    objects = await open_objects(settings, stack)
    llm = create_llm(settings.llm)
    if llm is not None:
        stack.push_async_callback(llm.close)
    return await ingest.build_worker(
        settings,
        stack,
        # Rules may extract where a model digests.
        llm=llm if settings.extraction.extractor == "llm" else None,
        handlers={
            **ObjectJobs(database, objects).handlers(),
            **digest_jobs(settings, stack, database, llm).handlers(),
        },
    )
