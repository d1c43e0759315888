"""The foundation: accounts, conversations, memories, search, graph, key-values, files, jobs, and the walls between users."""

from pathlib import Path

from alembic import op
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
from pgqueuer.domain.settings import DBSettings

revision = "0001"
down_revision = None

SQL = Path(__file__).parent.parent / "sql" / "0001"


def upgrade() -> None:
    """Runs the scripts in the order of their names; the queue's own tables come before the walls."""
    for script in sorted(SQL.glob("*.sql")):
        if script.name.startswith("09_"):
            _run(QueryBuilderEnvironment(DBSettings()).build_install_query())
        _run(script.read_text())


def _run(script: str) -> None:
    # asyncpg takes a script of many statements only through its own execute, not through a prepared statement.
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda raw: raw.execute(script))
