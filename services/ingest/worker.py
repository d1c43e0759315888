"""The worker: takes jobs from the queue and sees each of them through.

A job is at least once: it stays in the queue until its handler has returned. One whose worker
fell silent goes to another worker; one whose handler raised comes back after a growing pause;
one that was interrupted by the worker's end comes back at once. Handlers must bear being run
again.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import asyncpg
import structlog
from pgqueuer.db import AsyncpgDriver
from pgqueuer.errors import FailingListenerError, RetryRequested
from pgqueuer.models import Job
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries

from services.ingest.ingest_metrics import JobMetrics
from services.runtime.backoff import delay_of
from services.runtime.config import DatabaseSettings
from services.runtime.errors import MnemaError
from services.runtime.statements import log_statement
from services.storage import events
from services.storage.queue import free_held, purge

log = structlog.get_logger("mnema.worker")

Handler: TypeAlias = Callable[[Mapping[str, str]], Awaitable[None]]

# How the way to the queue can fail, and come back.
_QUEUE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    FailingListenerError,
)
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_TIDY_EVERY_SECONDS = 30.0
_PURGE_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker works.

    `concurrency` jobs at once; a job whose worker has been silent for `heartbeat_timeout`
    seconds is taken from it; at the end running jobs get `drain` seconds; a failed job comes
    back after `backoff` seconds, then twice as many, and so on. Events older than
    `events_kept` are removed.
    """

    concurrency: int
    heartbeat_timeout: float
    drain: float
    backoff: float
    events_kept: timedelta = timedelta(hours=24)


class Worker:
    """Works off the queue with `handlers`, by entrypoint.

    Has a connection of its own, for the queue alone, and reconnects for as long as it takes.
    """

    def __init__(
        self,
        database: DatabaseSettings,
        settings: WorkerSettings,
        handlers: Mapping[str, Handler],
        metrics: JobMetrics,
    ) -> None:
        self._database = database
        self._settings = settings
        self._handlers = handlers
        self._metrics = metrics
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._running: set[asyncio.Future[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set. A database that is away is waited for."""
        pause = _FIRST_PAUSE_SECONDS
        while not stop.is_set():
            began = time.monotonic()
            try:
                async with self._connection() as connection:
                    await self._work(Queries(AsyncpgDriver(connection)), stop)
            except _QUEUE_AWAY as error:
                log.warning("the queue is away", error=str(error) or type(error).__name__)
            if time.monotonic() - began > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            await _sleep(pause, stop)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    @asynccontextmanager
    async def _connection(self) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        """A session that row-level security shows the queue, and nothing else."""
        connection = await asyncpg.connect(
            self._database.dsn.get_secret_value(),
            timeout=self._database.connect_timeout_seconds,
            command_timeout=self._database.command_timeout_seconds,
            statement_cache_size=self._database.statement_cache_size,
            server_settings={"mnema.queue": "on"},
        )
        try:
            # Jobs are enqueued on connections that encode JSON themselves, so the texts that
            # PgQueuer makes are encoded twice there; here it gets them back decoded once.
            await connection.set_type_codec(
                "jsonb", schema="pg_catalog", encoder=str, decoder=json.loads
            )
            if self._database.log_statements:
                connection.add_query_logger(log_statement)
            yield connection
        finally:
            if not connection.is_closed():
                connection.terminate()

    async def _work(self, queries: Queries, stop: asyncio.Event) -> None:
        """Takes jobs until `stop` is set or the connection breaks, which is raised."""
        settings = self._settings
        manager = QueueManager(queries)
        for name, handler in self._handlers.items():
            # A failure that could not even be recorded leaves the job held, never deleted.
            manager.entrypoint(name, on_failure="hold")(self._entrypoint(name, handler))
        taking = asyncio.create_task(
            manager.run(
                dequeue_timeout=timedelta(seconds=min(settings.heartbeat_timeout / 3, 5.0)),
                batch_size=max(1, settings.concurrency // 2),
                max_concurrent_tasks=max(2, settings.concurrency),
                heartbeat_timeout=timedelta(seconds=settings.heartbeat_timeout),
                shutdown_on_listener_failure=True,
            ),
            name="queue manager",
        )
        tidying = asyncio.create_task(_tidy(queries, settings.events_kept), name="queue tidying")
        stopping = asyncio.create_task(stop.wait(), name="worker stop")
        try:
            await asyncio.wait({taking, tidying, stopping}, return_when=asyncio.FIRST_COMPLETED)
            manager.shutdown.set()
            await asyncio.wait({taking}, timeout=settings.drain)
        finally:
            manager.shutdown.set()
            stopping.cancel()
            tidying.cancel()
            await self._interrupt(taking)
        for task in (tidying, taking):
            if task.done() and not task.cancelled():
                task.result()

    async def _interrupt(self, taking: asyncio.Task[None]) -> None:
        """Cancels the jobs that still run, and gives the queue time to take them back."""
        for running in self._running:
            running.cancel()
        await asyncio.wait({taking}, timeout=5.0)
        if not taking.done():
            taking.cancel()
            await asyncio.wait({taking}, timeout=5.0)

    def _entrypoint(self, name: str, handler: Handler) -> Callable[[Job], Awaitable[None]]:
        async def perform(job: Job) -> None:
            async with self._slots:
                self._metrics.started(name)
                try:
                    await self._perform(name, handler, job)
                except RetryRequested:
                    self._metrics.ended(name, "retried")
                    raise
                self._metrics.ended(name, "done")

        return perform

    async def _perform(self, name: str, handler: Handler, job: Job) -> None:
        """Runs the handler; everything but its return puts the job back into the queue."""
        running = asyncio.ensure_future(_run(handler, job))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        try:
            await running
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait({running})
            raise RetryRequested(reason="the worker ended") from None
        except MnemaError as error:
            delay = delay_of(job.attempts + 1, self._settings.backoff, error.retry_after)
            log.warning("a job failed", job=name, reason=error.reason, error=error.message)
            raise RetryRequested(timedelta(seconds=delay), error.reason) from error
        except Exception as error:
            delay = delay_of(job.attempts + 1, self._settings.backoff)
            log.exception("a job failed unexpectedly", job=name)
            raise RetryRequested(timedelta(seconds=delay), type(error).__name__) from error


async def _run(handler: Handler, job: Job) -> None:
    payload = json.loads(job.payload or b"{}")
    await handler(payload)


async def _tidy(queue: Queries, events_kept: timedelta) -> None:
    """Frees held jobs and removes old notes and events, now and then."""
    while True:
        freed = await free_held(queue)
        if freed:
            log.warning("held jobs went back into the queue", count=freed)
        await purge(queue)
        removed = events.PURGED_AT_ONCE
        while removed == events.PURGED_AT_ONCE:
            removed = await events.purge(queue.driver, events_kept)
            await asyncio.sleep(_PURGE_PAUSE_SECONDS)  # others come first
        await asyncio.sleep(_TIDY_EVERY_SECONDS)


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
