"""How PostgreSQL would run a statement, on tables that it has counted."""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg

from tests.conftest import TestDatabase
from tests.patience import PATIENCE
from tests.store.owners import Owner

UNSEEN = """
SELECT count(*) > 0 FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relallvisible < relpages
"""


async def analyze(test_database: TestDatabase) -> None:
    """Counts what the tables hold, and notes which pages everybody sees.

    Only their owner and a superuser may. What somebody might still look at, as when tables are
    being counted already, takes another round.
    """
    connection = await asyncpg.connect(test_database.superuser_dsn)
    async with asyncio.timeout(PATIENCE):
        unseen = True
        while unseen:
            await connection.execute("VACUUM ANALYZE")
            unseen = await connection.fetchval(UNSEEN)
    await connection.close()


async def plan_of(user: Owner, statement: str, *arguments: object) -> str:
    """The plan of a statement on behalf of the user, as text."""
    async with user.transaction() as connection:
        rows = await connection.fetch(f"EXPLAIN {statement}", *arguments)
    return "\n".join(row[0] for row in rows)


def plan_nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's node and all below it, of a plan as JSON."""
    yield plan
    for part in plan.get("Plans", []):
        yield from plan_nodes(part)
