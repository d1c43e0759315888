"""Listening to what other processes announce through the database, for as long as it takes."""

import asyncio
from collections.abc import Callable

import asyncpg
import structlog

from services.runtime.database import Database
from services.runtime.errors import MnemaError

log = structlog.get_logger("mnema.listening")

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


async def listen(
    database: Database,
    channel: str,
    stop: asyncio.Event,
    *,
    begun: Callable[[], None],
    heard: Callable[[str], None],
) -> None:
    """Calls `heard` with what is announced on a channel, until `stop` is set.

    `begun` is called whenever it begins to listen: what was announced before, while the
    connection was away, was missed. A database that is away is waited for. Behind a PgBouncer in
    transaction mode nothing is heard: give such a process a direct DSN.
    """
    stopping = asyncio.create_task(stop.wait(), name=f"stop listening to {channel}")
    pause = _FIRST_PAUSE_SECONDS
    try:
        while not stop.is_set():
            began = asyncio.get_running_loop().time()
            try:
                await _listen(database, channel, stopping, begun, heard)
            except _AWAY as error:
                reason = str(error) or type(error).__name__
                log.warning("nothing is heard for now", channel=channel, error=reason)
            if asyncio.get_running_loop().time() - began > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            await asyncio.wait({stopping}, timeout=pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    finally:
        stopping.cancel()


async def _listen(
    database: Database,
    channel: str,
    stopping: "asyncio.Task[bool]",
    begun: Callable[[], None],
    heard: Callable[[str], None],
) -> None:
    """Until the connection breaks, which may show only when it is asked something."""
    async with database.listening() as connection:
        broken = asyncio.Event()
        connection.add_termination_listener(lambda _: broken.set())
        await connection.add_listener(channel, lambda *said: heard(str(said[-1])))
        begun()
        breaking = asyncio.create_task(broken.wait(), name=f"the connection to {channel}")
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
