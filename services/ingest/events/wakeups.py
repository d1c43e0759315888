"""Who wakes watchers: one connection of the process that listens for news of events."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from services.runtime.database import Database
from services.runtime.listening import listen
from services.runtime.scope import Scope
from services.storage.events import CHANNEL


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
        await listen(self._database, CHANNEL, stop, begun=self._wake_all, heard=self._heard)

    def _heard(self, payload: str) -> None:
        for key in payload.split():
            for news in self._waiting.get(key, ()):
                news.set()

    def _wake_all(self) -> None:
        for waiting in self._waiting.values():
            for news in waiting:
                news.set()
