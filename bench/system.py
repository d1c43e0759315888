"""The system under measurement: a stack of its own, and the cheapest client there is."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil

from bench.measuring import Call
from bench.model import MODELS
from bench.report import console
from mnema.v1.ingest_service_pb2 import GetIngestStatusRequest, GetIngestStatusResponse
from services.app.local_stack import LocalStack
from services.embedded.ports import free_ports

INGEST = "/mnema.v1.IngestService/Ingest"
INGEST_BATCH = "/mnema.v1.IngestService/IngestBatch"
INGEST_STREAM = "/mnema.v1.IngestService/IngestStream"
INGEST_STATUS = "/mnema.v1.IngestService/GetIngestStatus"
RECALL = "/mnema.v1.RecallService/Recall"
SEARCH = "/mnema.v1.VectorService/Search"
RANKING_PROFILE = "/mnema.v1.VectorService/GetRankingProfile"

CALL_SECONDS = 60.0
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Memory:
    """What a part holds, in MiB: resident, and with pages that processes share split up.

    PostgreSQL's shared buffers count in `resident` once for each of its processes.
    """

    resident: float
    proportional: float


class System:
    """A running stack. `gateway` is a channel to its public port."""

    def __init__(self, stack: LocalStack, gateway: "grpc.aio.Channel") -> None:
        self.stack = stack
        self.gateway = gateway
        self._key = (("authorization", f"Bearer {stack.api_key}"),)

    def call(
        self,
        method: str,
        channel: "grpc.aio.Channel | None" = None,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> Call:
        """A unary call of bytes, by default through the gateway."""
        # Without a codec bytes go through as they are.
        ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
        ask = (channel or self.gateway).unary_unary(method)
        sent = (*self._key, *metadata)

        async def call(request: bytes) -> bytes:
            answer: bytes = await ask(request, metadata=sent, timeout=CALL_SECONDS)
            return answer

        return call

    def stream(self, method: str, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Streams of bytes both ways, through the gateway."""
        ask: grpc.aio.StreamStreamMultiCallable[bytes, bytes]
        ask = self.gateway.stream_stream(method)
        return aiter(ask(requests, metadata=self._key))

    @asynccontextmanager
    async def direct(self, target: str) -> "AsyncIterator[grpc.aio.Channel]":
        """A channel straight to one service, past the gateway."""
        address = f"127.0.0.1:{self.stack.ports[target]}"
        async with grpc.aio.insecure_channel(address, options=_OPTIONS) as channel:
            yield channel

    async def status(self, user_id: str) -> GetIngestStatusResponse:
        """What of the user's messages still waits."""
        request = GetIngestStatusRequest(user_id=user_id).SerializeToString()
        answer = await self.call(INGEST_STATUS)(request)
        return GetIngestStatusResponse.FromString(answer)

    async def embedded(self, user_id: str, *, timeout: float = 3600.0) -> float:
        """Waits until everything of the user's has a vector; seconds. TimeoutError if not."""
        return await self._settled(user_id, timeout, extracted=False)

    async def extracted(self, user_id: str, *, timeout: float = 3600.0) -> float:
        """Waits until nothing of the user's waits at all; seconds. TimeoutError if not.

        RuntimeError if an extraction failed for good: the figures would be of less work.
        """
        return await self._settled(user_id, timeout, extracted=True)

    async def _settled(self, user_id: str, timeout: float, *, extracted: bool) -> float:
        began = time.perf_counter()
        async with asyncio.timeout(timeout):
            while True:
                status = await self.status(user_id)
                if status.failed_extractions:
                    raise RuntimeError(f"{status.failed_extractions} extractions of {user_id}")
                waiting = status.pending_embeddings
                if extracted:
                    waiting += status.pending_messages + status.running_extractions
                if not waiting:
                    return time.perf_counter() - began
                await asyncio.sleep(_POLL_SECONDS)

    def memory(self) -> dict[str, Memory]:
        """What every part holds now, with its child processes, by name."""
        held: dict[str, Memory] = {}
        for name in ("postgres", *self.stack.ports, "envoy"):
            pid = self.stack.stack.pid(name)
            if pid is not None:
                process = psutil.Process(pid)
                family = (process, *process.children(recursive=True))
                sizes = [each.memory_full_info() for each in family]
                held[name] = Memory(
                    sum(each.rss for each in sizes) / 2**20,
                    sum(each.pss for each in sizes) / 2**20,
                )
        return held


@contextmanager
def home_of(given: Path | None) -> Iterator[Path]:
    """The folder of a stack's state: the given one, which stays, or one that goes afterwards."""
    home = given or Path(tempfile.mkdtemp(prefix="mnema-bench-"))
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)  # PostgreSQL runs under another account when we are root
    try:
        yield home
    finally:
        if given is None:
            shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def running(
    home: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[System]:
    """Starts a stack on the home, with further settings, and ends it."""
    settings = {
        "MNEMA_MODEL_FOLDER": str(MODELS),
        # What is measured is what was said, not what was concluded of it.
        "MNEMA_OPTIONS__REFLECTION_INTERVAL": "0",
        **(environment or {}),
    }
    stack = LocalStack(home, port=free_ports(1)[0], environment=settings)
    with console.status("starting PostgreSQL, the services and the gateway"):
        await stack.stack.start()
    try:
        async with grpc.aio.insecure_channel(stack.address, options=_OPTIONS) as gateway:
            yield System(stack, gateway)
    finally:
        await stack.stack.stop()
