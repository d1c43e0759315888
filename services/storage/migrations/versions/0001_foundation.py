"""The foundation: every table that memory rests on, the queue, and the walls between users."""

from pathlib import Path

from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
from pgqueuer.domain.settings import DBSettings

from services.storage.migrations.scripts import run_script

revision = "0001"
down_revision = None

SQL = Path(__file__).parent.parent / "sql" / "0001"


def upgrade() -> None:
    """Runs the scripts by their names; the queue's own tables come before the walls."""
    for script in sorted(SQL.glob("*.sql")):
        if script.name.startswith("09_"):
            run_script(QueryBuilderEnvironment(DBSettings()).build_install_query())
        run_script(script.read_text())
