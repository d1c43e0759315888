"""Watching: events as they happen, from a place on, to readers of any speed."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from services.ingest.events.wakeups import Wakeups
from services.runtime.config import EventSettings
from services.runtime.database import Database
from services.runtime.errors import OutOfRange, ResourceExhausted, Unavailable
from services.runtime.scope import Scope
from services.storage import events
from services.storage.events import EventRow, Position, Reading

log = structlog.get_logger("mnema.events")

_AT_ONCE = 100  # events a response
_READERS = 2  # of the pool's connections at most, for all watchers together
_FIRST_LOOK_SECONDS = 0.01  # after a wake-up that came before its event may be told
_LONGEST_LOOK_SECONDS = 0.5
_AWAY_SECONDS = 1.0
_RETRY_AFTER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a watcher asks for: `after` None is from now on; `kinds` empty is all of them."""

    scope: Scope
    kinds: Sequence[str]
    after: Position | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Told:
    """Some events, none where there is nothing new, and the place behind all that was told."""

    events: tuple[EventRow, ...]
    position: Position


class EventReader:
    """Reads events; OutOfRange (CURSOR_EXPIRED) from a place that is not kept any more."""

    def __init__(self, database: Database, settings: EventSettings) -> None:
        self._database = database
        self._kept = timedelta(hours=settings.retention_hours)

    async def now(self, scope: Scope) -> Position:
        """The place from which nothing is missed that is committed from now on."""
        async with self._database.transaction(scope, readonly=True) as connection:
            return await events.horizon(connection)

    async def read(
        self, scope: Scope, after: Position, kinds: Sequence[str], limit: int
    ) -> Reading:
        """See events.read."""
        async with self._database.transaction(scope, readonly=True) as connection:
            reading = await events.read(connection, scope, after, kinds, limit)
        if after.at < reading.read_at - self._kept or after.txid > reading.next_txid:
            raise OutOfRange(
                f"the cursor is older than {self._kept}, as long as events are kept, or not of "
                "this database",
                reason="CURSOR_EXPIRED",
                metadata={"field": "cursor", "at": _text(after.at)},
            )
        return reading


class Watchers:
    """All that watch in this process. Nothing is kept for a watcher but its place.

    It reads a page, and the next one when the caller has taken that; a slow caller holds up
    nobody.
    """

    def __init__(self, reader: EventReader, wakeups: Wakeups, settings: EventSettings) -> None:
        self._reader = reader
        self._wakeups = wakeups
        self._settings = settings
        self._reading = asyncio.Semaphore(_READERS)
        self._news: set[asyncio.Event] = set()
        self._closing = False

    async def close(self) -> None:
        """Ends every stream with Unavailable: callers go on elsewhere with their cursors."""
        self._closing = True
        for news in self._news:
            news.set()

    async def watch(self, wanted: Wanted) -> AsyncGenerator[Told]:
        """Tells what happens: at once, as it comes, and now and then that nothing did.

        Ends after `wanted.seconds`. A database that is away is waited for.
        """
        with self._watcher(wanted.scope) as news:
            stay = _Stay(time.monotonic() + wanted.seconds, self._settings)
            place = wanted.after
            told: Told | None = None
            while not stay.over():
                if self._closing:
                    raise Unavailable("the server goes down: watch again", retry_after=0.1)
                news.clear()
                reading = await self._look(wanted, place)
                if reading is not None:
                    place = reading.position
                    told = Told(reading.events, place)
                    stay.saw(reading)
                if told is not None and (told.events or stay.silent()):
                    yield told
                    stay.spoke()
                    told = Told((), told.position)
                if reading is None or not reading.more:
                    await _wait(news, stay.pause(away=reading is None))

    async def _look(self, wanted: Wanted, place: Position | None) -> Reading | None:
        """What there is behind the place; None while the database is away."""
        try:
            async with self._reading:
                if place is None:
                    place = await self._reader.now(wanted.scope)
                    return Reading((), place, False, False, place.at, place.txid)
                return await self._reader.read(wanted.scope, place, wanted.kinds, _AT_ONCE)
        except Unavailable as error:
            log.warning("watchers wait for the database", error=error.message)
            return None

    @contextmanager
    def _watcher(self, scope: Scope) -> Iterator[asyncio.Event]:
        limit = self._settings.max_watchers
        if len(self._news) >= limit:
            raise ResourceExhausted(
                f"{limit} watch already, as many as may",
                metadata={"limit": str(limit)},
                retry_after=_RETRY_AFTER_SECONDS,
            )
        with self._wakeups.of(scope) as news:
            self._news.add(news)
            try:
                yield news
            finally:
                self._news.discard(news)


class _Stay:
    """How long a watcher stays, when it looks again, and when it gives a sign of life."""

    def __init__(self, end: float, settings: EventSettings) -> None:
        self._end = end
        self._settings = settings
        self._spoke_at: float | None = None
        self._look = 0.0

    def over(self) -> bool:
        return time.monotonic() >= self._end

    def silent(self) -> bool:
        """Whether it has said nothing for as long as it may."""
        if self._spoke_at is None:
            return True
        return time.monotonic() - self._spoke_at >= self._settings.heartbeat_seconds

    def spoke(self) -> None:
        self._spoke_at = time.monotonic()

    def saw(self, reading: Reading) -> None:
        """What can't be told yet is looked for again, less and less often."""
        if not reading.pending:
            self._look = 0.0
        elif reading.events or not self._look:
            self._look = _FIRST_LOOK_SECONDS
        else:
            self._look = min(2 * self._look, _LONGEST_LOOK_SECONDS)

    def pause(self, *, away: bool) -> float:
        """Seconds to wait for news."""
        now = time.monotonic()
        pause = _AWAY_SECONDS if away else self._look or self._settings.poll_seconds
        if self._spoke_at is not None:
            pause = min(pause, self._spoke_at + self._settings.heartbeat_seconds - now)
        return max(0.0, min(pause, self._end - now))


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
