"""The foundation: every table that memory rests on, the queue, and the walls between users."""

from pathlib import Path

from alembic import op
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
from pgqueuer.domain.settings import DBSettings

revision = "0001"
down_revision = None

SQL = Path(__file__).parent.parent / "sql" / "0001"


def upgrade() -> None:
    """Runs the scripts by their names; the queue's own tables come before the walls."""
    for script in sorted(SQL.glob("*.sql")):
        if script.name.startswith("09_"):
            _run(QueryBuilderEnvironment(DBSettings()).build_install_query())
        _run(script.read_text())


def _run(script: str) -> None:
    # asyncpg takes a script of many statements through its own execute alone.
    connection = op.get_bind().connection.dbapi_connection
    if connection is None:
        raise RuntimeError("the migration has lost its connection")
    connection.run_async(lambda raw: raw.execute(script))
