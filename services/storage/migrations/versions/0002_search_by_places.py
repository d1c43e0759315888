"""Search by places: units of long texts, counted collections, codes of vectors.

The search index is derived from what it finds, so it is built anew: by words at once, by
meaning as the queue's embedding jobs get to it.
"""

from pathlib import Path
from typing import Any

from alembic import op

from services.storage import jobs
from services.storage.migrations.scripts import run, run_script
from services.storage.queries import load
from services.storage.reindexing import index_everything

revision = "0002"
down_revision = "0001"

SCRIPTS = Path(__file__).parent.parent / "sql" / "0002"
# What indexes today says when by this; a later migration has it for those who are past this one.
RECORD_TIME = SCRIPTS.parent / "0004" / "20_record_time.sql"
SQL = load("reindexing")


def upgrade() -> None:
    """Makes the tables, fills them for one user after the other, and then makes sure of it."""
    # The first statement opens the transaction: scripts and rows pass it by.
    op.execute("SELECT set_config('mnema.admin', 'on', true)")
    scripts = sorted(SCRIPTS.glob("*.sql"))
    for script in (RECORD_TIME, *scripts[:-1]):
        run_script(script.read_text())
    run(_rebuild)
    run_script(scripts[-1].read_text())
    op.execute("SELECT set_config('mnema.admin', '', true), set_config('mnema.owner', '', true)")


async def _rebuild(raw: Any) -> None:
    if not raw.is_in_transaction():
        raise RuntimeError("the migration's transaction is not open")
    for user in await raw.fetch(SQL["list_everybody"]):
        owner_id = user["owner_id"]
        await raw.execute(SQL["act_for"], str(owner_id))
        await raw.execute(SQL["number_sessions"], owner_id)
        await raw.execute(SQL["number_documents"], owner_id)
        if await index_everything(raw, owner_id):
            await jobs.enqueue(
                raw,
                jobs.EMBED,
                {
                    "tenant_id": str(user["tenant_id"]),
                    "owner_id": str(owner_id),
                    "user_id": user["user_id"],
                },
            )
