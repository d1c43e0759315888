"""A worker as a process of its own, whose extractor never ends: something to kill.

Run as `python -m tests.service.worker_process DSN VECTOR_ADDRESS`.
"""

import asyncio
import sys
from contextlib import AsyncExitStack

from services.ingest.extraction.model import ConversationBatch, Extraction
from services.ingest.target import build_worker
from services.runtime.config import ExtractionSettings, PeerSettings, RuntimeSettings
from services.runtime.server import Servicers, serve
from tests.service.serving import settings_for


class Endless:
    """An extractor that is always at it."""

    name = "endless"

    async def extract(self, batch: ConversationBatch) -> Extraction:
        await asyncio.sleep(3600)
        return Extraction()


async def build(settings: RuntimeSettings, stack: AsyncExitStack) -> Servicers:
    return await build_worker(settings, stack, extractor=Endless())


if __name__ == "__main__":
    dsn, vector = sys.argv[1:]
    settings = settings_for(
        dsn,
        peers=PeerSettings(vector=vector),
        extraction=ExtractionSettings(heartbeat_timeout_seconds=2),
    )
    asyncio.run(serve(build, settings))
