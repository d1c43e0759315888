"""A worker as a process of its own that is never done: something to kill.

Run as `python -m tests.service.worker_process DSN VECTOR_ADDRESS`: its extractor never ends. With
`thinking` behind: it extracts, and its digests never end.
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from services.contract.embedder import VectorEmbedder
from services.ingest.extraction.model import ConversationBatch, Extraction
from services.ingest.target import build_worker
from services.reflect.digest import Digester
from services.reflect.digest_jobs import DigestJobs
from services.runtime.channels import open_channel
from services.runtime.config import ExtractionSettings, PeerSettings, RuntimeSettings
from services.runtime.database import Database
from services.runtime.server import Servicers, serve
from services.storage.digests import DigestMemory
from tests.service.ingest_world import ScriptedExtractor
from tests.service.serving import settings_for


class Endless:
    """An extractor that is always at it."""

    name = "endless"

    async def extract(self, batch: ConversationBatch) -> Extraction:
        await asyncio.sleep(3600)
        return Extraction()


class EndlessThought:
    """A thinker that is always at it."""

    async def insights(self, memories: Sequence[DigestMemory], known: Sequence[str]) -> Any:
        await asyncio.sleep(3600)

    async def state(self, memories: Sequence[DigestMemory]) -> str:
        return ""


async def build(settings: RuntimeSettings, stack: AsyncExitStack) -> Servicers:
    return await build_worker(settings, stack, extractor=Endless())


async def build_thinking(settings: RuntimeSettings, stack: AsyncExitStack) -> Servicers:
    database = await stack.enter_async_context(Database.open(settings.database))
    embedder = VectorEmbedder(open_channel(settings.peers.vector, settings, stack))
    digester = Digester(database, EndlessThought(), embedder)
    handlers = DigestJobs(database, digester, settings.extraction).handlers()
    return await build_worker(settings, stack, extractor=ScriptedExtractor(), handlers=handlers)


if __name__ == "__main__":
    dsn, vector, *thinking = sys.argv[1:]
    settings = settings_for(
        dsn,
        peers=PeerSettings(vector=vector),
        extraction=ExtractionSettings(heartbeat_timeout_seconds=2),
    )
    asyncio.run(serve(build_thinking if thinking else build, settings))
