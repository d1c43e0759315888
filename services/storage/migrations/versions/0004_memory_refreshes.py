"""What a memory was before it was said again."""

from pathlib import Path

from services.storage.migrations.scripts import run_folder

revision = "0004"
down_revision = "0003"

SCRIPTS = Path(__file__).parent.parent / "sql" / "0004"


def upgrade() -> None:
    """Runs the scripts by their names; each raises the walls around what it makes."""
    run_folder(SCRIPTS)
