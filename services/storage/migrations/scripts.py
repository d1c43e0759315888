"""Running SQL scripts within a migration."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from alembic import op


def run(work: Callable[[Any], Awaitable[Any]]) -> None:
    """Does something on the migration's own connection, as asyncpg has it."""
    connection = op.get_bind().connection.dbapi_connection
    if connection is None:
        raise RuntimeError("the migration has lost its connection")
    connection.run_async(work)


def run_script(script: str) -> None:
    """Runs many statements: asyncpg takes them through its own execute alone."""
    run(lambda raw: raw.execute(script))


def run_folder(folder: Path) -> None:
    """Runs the scripts of a folder by their names."""
    for script in sorted(folder.glob("*.sql")):
        run_script(script.read_text())
