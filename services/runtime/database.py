"""The connection pool of a process, and transactions that see only their scope.

Nothing is left on a session outside a transaction, so PgBouncer may stand in between.
A server that restarts is reconnected to by the next transaction; the one it broke ends in
`Unavailable`, which callers may retry.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol, Self, TypeAlias, TypeVar

import asyncpg
import pgvector.asyncpg

from services.runtime import context
from services.runtime.config import DatabaseSettings
from services.runtime.errors import DeadlineExceeded, FailedPrecondition, Unavailable
from services.runtime.opening import Isolation, reading_script, settings_statement
from services.runtime.scope import Scope
from services.runtime.statements import log_statement

__all__ = ["Connection", "Database", "Isolation", "Scope", "connection_lost"]

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
T = TypeVar("T")

_RETRY_AFTER_SECONDS = 1.0
_MAX_ATTEMPTS = 5
_FIRST_BACKOFF_SECONDS = 0.02
_CONNECTION_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    ConnectionError,
)
# What statements raise on a connection that is gone, in place of the reason.
_DRIVER_ERRORS = (asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)


def connection_lost(error: BaseException) -> bool:
    """Whether this error means that the server, or the way to it, is gone."""
    return isinstance(error, _CONNECTION_LOST)


class Database:
    """A pool of connections to one PostgreSQL. Belongs to the event loop that made it."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", settings: DatabaseSettings) -> None:
        self._pool = pool
        self._settings = settings
        self._leaving: set[asyncio.Task[None]] = set()

    @classmethod
    async def connect(cls, settings: DatabaseSettings) -> Self:
        """Open the pool. Unavailable when the server does not answer."""
        try:
            pool = await asyncpg.create_pool(
                settings.dsn.get_secret_value(),
                min_size=min(settings.pool_min, settings.pool_max),
                max_size=settings.pool_max,
                timeout=settings.connect_timeout_seconds,
                command_timeout=settings.command_timeout_seconds,
                statement_cache_size=settings.statement_cache_size,
                init=_prepare_logging if settings.log_statements else _register_codecs,
                reset=_keep_session,
            )
        except (*_CONNECTION_LOST, OSError) as error:
            raise _unavailable() from error
        return cls(pool, settings)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: DatabaseSettings) -> AsyncIterator[Self]:
        """`connect`, closed at the end of the block."""
        database = await cls.connect(settings)
        try:
            yield database
        finally:
            await database.close()

    @property
    def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        """The pool itself, for libraries that want one (the job queue)."""
        return self._pool

    async def close(self) -> None:
        """Close every connection; those in use get a few seconds to come back."""
        try:
            async with asyncio.timeout(5):
                await asyncio.gather(*self._leaving)
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(
        self,
        scope: Scope,
        *,
        readonly: bool = False,
        isolation: Isolation = "read_committed",
        plan_once: bool = False,
        by_keys: bool = False,
    ) -> AsyncIterator[Connection]:
        """A transaction that sees only what `scope` names; commits at the end of the block.

        With `plan_once` its statements are planned once a connection, not for each call: for
        those that read by keys, whatever their parameters, where planning outweighs reading.
        `by_keys` is that, and keeps the planner from reading any other way.

        Its statements end with the current request's deadline (DeadlineExceeded).
        Unavailable when the server is gone or no connection becomes free in time. A nested
        `connection.transaction()` is a savepoint.
        """
        plans = "force_generic_plan" if plan_once or by_keys else "auto"
        begin = self._begin_reading if readonly else self._begin_writing
        connection, transaction = await self._begin(
            partial(begin, (*scope.values(), plans), isolation, by_keys)
        )
        try:
            yield connection
            if not readonly:
                await transaction.commit()
        except BaseException as error:
            gone = _gone(connection, error)
            if not gone and connection.is_in_transaction():
                await _roll_back(transaction, connection)
            translated = _translated(error, gone=gone)
            if translated is None:
                raise
            raise translated from error
        finally:
            if readonly and not _gone(connection):
                # Nothing depends on the end of a transaction that has only read.
                self._leave(connection, transaction)
            else:
                await self._pool.release(connection)

    async def run(
        self,
        scope: Scope,
        work: Callable[[Connection], Awaitable[T]],
        *,
        readonly: bool = False,
        isolation: Isolation = "read_committed",
    ) -> T:
        """`work` in a transaction, done again when PostgreSQL asks for it.

        A serialisation failure or a deadlock rolls everything back, so `work` runs up to 5
        times, with growing random pauses; it must have no effects outside the transaction.
        """
        attempt = 1
        while True:
            try:
                async with self.transaction(
                    scope, readonly=readonly, isolation=isolation
                ) as connection:
                    return await work(connection)
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as error:
                if attempt >= _MAX_ATTEMPTS:
                    raise Unavailable(
                        "too many writers at once; try again", retry_after=_RETRY_AFTER_SECONDS
                    ) from error
            await asyncio.sleep(
                random.uniform(0, _FIRST_BACKOFF_SECONDS * 2**attempt)  # noqa: S311 - jitter
            )
            attempt += 1

    async def ping(self) -> None:
        """One statement to the server and back; Unavailable when it does not answer."""
        async with self.transaction(Scope(), readonly=True) as connection:
            await connection.fetchval("SELECT 1")

    async def check_schema(
        self, version: Callable[[Connection], Awaitable[int]], required: int
    ) -> int:
        """Refuse to start on a schema older than `required`; a newer one is fine.

        `version` reads the schema's version; the storage layer knows how.
        """
        async with self.transaction(Scope(), readonly=True) as connection:
            found = await version(connection)
        if found < required:
            raise FailedPrecondition(
                f"the database has schema {found}, this program needs {required}: run migrations",
                metadata={"found": str(found), "required": str(required)},
            )
        return found

    async def refresh(self) -> None:
        """Reconnect at the next use: after a migration that added types."""
        await self._pool.expire_connections()

    @asynccontextmanager
    async def listening(self) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        """A connection of its own, outside the pool, for LISTEN.

        It carries no scope, so row-level security shows it no rows. Behind a PgBouncer in
        transaction mode it hears nothing: give such a process a direct DSN.
        """
        connection = await _connect(self._settings)
        try:
            yield connection
        finally:
            await connection.close(timeout=2)

    async def _begin(self, begin: "Callable[[Connection], Awaitable[_Ending]]") -> "_Begun":
        """A connection with a transaction open on it.

        A pooled connection that died unnoticed shows it here, before any work was done, so
        one more try on a fresh connection is safe.
        """
        try:
            return await self._begin_once(begin)
        except Unavailable:
            if self._pool.is_closing():
                raise
            return await self._begin_once(begin)

    async def _begin_once(self, begin: "Callable[[Connection], Awaitable[_Ending]]") -> "_Begun":
        connection = await self._acquire()
        try:
            return connection, await begin(connection)
        except BaseException as error:
            gone = _gone(connection, error)
            # Without its transaction's end the connection is of no use to the next one.
            if not gone:
                connection.terminate()
            await self._pool.release(connection)
            translated = _translated(error, gone=gone)
            if translated is None:
                raise
            raise translated from error

    async def _begin_writing(
        self, settings: Sequence[str], isolation: Isolation, by_keys: bool, connection: Connection
    ) -> "_Ending":
        transaction = connection.transaction(isolation=isolation)
        await transaction.start()
        values = (*settings, self._statement_timeout())
        await connection.fetchrow(settings_statement(by_keys=by_keys), *values)
        return transaction

    async def _begin_reading(
        self, settings: Sequence[str], isolation: Isolation, by_keys: bool, connection: Connection
    ) -> "_Ending":
        """In one round trip: a script of two statements, which takes no parameters."""
        values = (*settings, self._statement_timeout())
        await connection.execute(reading_script(isolation, values, by_keys=by_keys))
        return _Reading(connection)

    def _leave(self, connection: Connection, transaction: "_Ending") -> None:
        """Ends a reading transaction and gives its connection back, in the background."""
        leaving = asyncio.create_task(self._end(connection, transaction))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _end(self, connection: Connection, transaction: "_Ending") -> None:
        try:
            if connection.is_in_transaction():
                await transaction.commit()
        except (asyncpg.PostgresError, *_DRIVER_ERRORS, OSError):
            # What was read was answered long since; the next one gets another connection.
            if not _gone(connection):
                connection.terminate()
        finally:
            await self._pool.release(connection)

    async def _acquire(self) -> Connection:
        limit = context.call_timeout(self._settings.acquire_timeout_seconds)
        try:
            async with asyncio.timeout(limit):
                return await self._pool.acquire()
        except TimeoutError as error:
            if context.remaining() == 0:
                raise DeadlineExceeded("no time was left for the database") from error
            raise _unavailable() from error
        except (*_CONNECTION_LOST, OSError) as error:
            raise _unavailable() from error
        except asyncpg.InterfaceError as error:
            raise _unavailable() from error  # the pool is closing: this process is going down

    def _statement_timeout(self) -> str:
        """Milliseconds, at least 1: PostgreSQL takes 0 as no limit."""
        seconds = context.call_timeout(self._settings.command_timeout_seconds)
        return str(max(1, int(seconds * 1000)))


async def _connect(settings: DatabaseSettings) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        return await asyncpg.connect(
            settings.dsn.get_secret_value(),
            timeout=settings.connect_timeout_seconds,
            command_timeout=settings.command_timeout_seconds,
            statement_cache_size=settings.statement_cache_size,
        )
    except (*_CONNECTION_LOST, OSError) as error:
        raise _unavailable() from error


async def _prepare_logging(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """`_register_codecs`, and a log of the statements to come."""
    await _register_codecs(connection)
    connection.add_query_logger(log_statement)


async def _register_codecs(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """jsonb as Python values; vector types where pgvector is installed.

    In one transaction, so that a PgBouncer keeps the statements on one server.
    """
    async with connection.transaction(readonly=True):
        for name in ("json", "jsonb"):
            await connection.set_type_codec(
                name, schema="pg_catalog", encoder=_to_json, decoder=json.loads
            )
        schema = await connection.fetchval(
            "SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace "
            "WHERE extname = 'vector'"
        )
        if schema is not None:
            await pgvector.asyncpg.register_vector(connection, schema=schema)


async def _keep_session(_: Any) -> None:
    """Skip asyncpg's clean-up round trip: a transaction leaves nothing behind."""


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class _Ending(Protocol):
    """How a transaction ends."""

    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...


_Begun: TypeAlias = tuple[Connection, _Ending]


class _Reading:
    """The end of a transaction that was begun by a script."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def commit(self) -> None:
        await self._connection.execute("COMMIT")

    async def rollback(self) -> None:
        await self._connection.execute("ROLLBACK")


async def _roll_back(transaction: _Ending, connection: Connection) -> None:
    try:
        await transaction.rollback()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        # The error that led here is the one to report; PostgreSQL rolls back by itself.
        if not _gone(connection):
            connection.terminate()


def _gone(connection: Connection, error: BaseException | None = None) -> bool:
    """Whether the connection is dead; the pool may have taken it back already for that."""
    try:
        if isinstance(error, asyncpg.InternalClientError):
            # The server's farewell was read but not yet the end of the stream: asyncpg has
            # lost its place in the protocol, and the connection is of no further use.
            connection.terminate()
            return True
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


def _translated(error: BaseException, *, gone: bool) -> Unavailable | DeadlineExceeded | None:
    if isinstance(error, asyncpg.QueryCanceledError):
        return DeadlineExceeded("the database took longer than the time that was left")
    if gone and isinstance(error, _DRIVER_ERRORS):
        return _unavailable()
    if isinstance(error, asyncpg.PostgresError) and connection_lost(error):
        return _unavailable()
    return None


def _unavailable() -> Unavailable:
    return Unavailable("the database does not answer", retry_after=_RETRY_AFTER_SECONDS)
