"""What a memory was before it was said again."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"

SCRIPTS = Path(__file__).parent.parent / "sql" / "0004"


def upgrade() -> None:
    """Runs the scripts by their names; each raises the walls around what it makes."""
    for script in sorted(SCRIPTS.glob("*.sql")):
        _run(script.read_text())


def _run(script: str) -> None:
    # asyncpg takes a script of many statements through its own execute alone.
    connection = op.get_bind().connection.dbapi_connection
    if connection is None:
        raise RuntimeError("the migration has lost its connection")
    connection.run_async(lambda raw: raw.execute(script))
