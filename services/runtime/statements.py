"""The log of SQL statements, for who wants to see them (MNEMA_DATABASE__LOG_STATEMENTS)."""

import structlog
from asyncpg.connection import LoggedQuery

from services.runtime.opening import without_values

log = structlog.get_logger("mnema.sql")


def log_statement(query: LoggedQuery) -> None:
    """Logs a statement, in one line, and how long it took: never what its parameters were."""
    failure = {} if query.exception is None else {"failed": type(query.exception).__name__}
    log.info(
        "statement",
        statement=" ".join(without_values(query.query).split()),
        milliseconds=round(query.elapsed * 1000, 3),
        **failure,
    )
