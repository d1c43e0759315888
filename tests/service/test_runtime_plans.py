"""How the statements of a transaction are planned, and that it ends with the transaction."""

from services.runtime.database import Connection, Database, Scope
from tests.conftest import TestDatabase
from tests.patience import database_settings


async def plan_mode(connection: Connection) -> str:
    mode: str = await connection.fetchval("SELECT current_setting('plan_cache_mode')")
    return mode


async def test_plans_are_made_once_where_that_is_asked_for(test_database: TestDatabase) -> None:
    settings = database_settings(test_database.service_dsn, pool_max=1)
    async with Database.open(settings) as database:
        async with database.transaction(Scope(), readonly=True, plan_once=True) as connection:
            assert await plan_mode(connection) == "force_generic_plan"
        async with database.transaction(Scope(), readonly=True) as connection:
            assert await plan_mode(connection) == "auto"
        # Nothing is left on the session itself.
        async with database.pool.acquire() as connection:
            assert await plan_mode(connection) == "auto"
