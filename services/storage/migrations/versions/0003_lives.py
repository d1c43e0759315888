"""The life of a user's data: settings, digests on their own, events, rollbacks, deletions."""

from pathlib import Path

from services.storage.migrations.scripts import run_folder

revision = "0003"
down_revision = "0002"

SCRIPTS = Path(__file__).parent.parent / "sql" / "0003"


def upgrade() -> None:
    """Runs the scripts by their names; each raises the walls around what it makes."""
    run_folder(SCRIPTS)
