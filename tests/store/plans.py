"""How PostgreSQL would run a statement, on tables that it has counted."""

from collections.abc import Iterator
from typing import Any

import asyncpg

from tests.conftest import TestDatabase
from tests.store.owners import Owner


async def analyze(test_database: TestDatabase) -> None:
    """Counts what the tables hold: only their owner and a superuser may."""
    connection = await asyncpg.connect(test_database.superuser_dsn)
    await connection.execute("VACUUM ANALYZE")
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
