"""Who wakes watchers: one connection of the process that listens for news of events."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import structlog

from services.runtime.database import Database
from services.runtime.errors import MnemaError
from services.runtime.scope import Scope
from services.storage.events import CHANNEL

log = structlog.get_logger("mnema.events")

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_CHECK_EVERY_SECONDS = 15.0
_AWAY = (
    MnemaError,
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class Wakeups:
    """Sets the events of those whose scope has news.

    A wake-up may be missed while the connection is away, or where a pooler stands in between:
    watchers look by themselves now and then.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def of(self, scope: Scope) -> Iterator[asyncio.Event]:
        """Set whenever the scope's owner, or else anybody of its tenant, has news."""
        key, news = str(scope.owner_id or scope.tenant_id), asyncio.Event()
        self._waiting.setdefault(key, set()).add(news)
        try:
            yield news
        finally:
            self._waiting[key].discard(news)
            if not self._waiting[key]:
                del self._waiting[key]

    async def run(self, stop: asyncio.Event) -> None:
        """Listens until `stop` is set; a database that is away is waited for."""
        stopping = asyncio.create_task(stop.wait(), name="events stop")
        pause = _FIRST_PAUSE_SECONDS
        try:
            while not stop.is_set():
                began = asyncio.get_running_loop().time()
                try:
                    await self._listen(stopping)
                except _AWAY as error:
                    log.warning("no wake-ups for now", error=str(error) or type(error).__name__)
                if asyncio.get_running_loop().time() - began > _LONGEST_PAUSE_SECONDS:
                    pause = _FIRST_PAUSE_SECONDS
                await asyncio.wait({stopping}, timeout=pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        finally:
            stopping.cancel()

    async def _listen(self, stopping: "asyncio.Task[bool]") -> None:
        """Until the connection breaks, which may show only when it is asked something."""
        async with self._database.listening() as connection:
            broken = asyncio.Event()
            connection.add_termination_listener(lambda _: broken.set())
            await connection.add_listener(CHANNEL, self._heard)
            self._wake_all()  # of what came before
            breaking = asyncio.create_task(broken.wait(), name="events connection")
            try:
                while not stopping.done() and not broken.is_set():
                    await asyncio.wait(
                        {stopping, breaking},
                        timeout=_CHECK_EVERY_SECONDS,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if not stopping.done() and not broken.is_set():
                        await connection.execute("SELECT 1")
            finally:
                breaking.cancel()

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        for key in str(payload).split():
            for news in self._waiting.get(key, ()):
                news.set()

    def _wake_all(self) -> None:
        for waiting in self._waiting.values():
            for news in waiting:
                news.set()
