"""Brings a database's schema up to date: `mnema migrate`, and the first step of `mnema up`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.storage.space_activation import activate

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number that nothing else in the database locks: it lets one migration run at a time.
MIGRATION_LOCK = 7_236_517_001


@dataclass(frozen=True, slots=True)
class SpaceSpec:
    """An embedding model whose vectors the database is to hold."""

    model: str
    dims: int


def required_revision() -> str:
    """The newest revision that this program knows: services refuse to start on an older schema."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError(f"no migrations in {MIGRATIONS}")
    return head


async def migrate(
    owner_dsn: str, spaces: Sequence[SpaceSpec], *, active: SpaceSpec | None = None
) -> str:
    """Upgrades the schema to the newest revision and makes the embedding spaces that are missing.

    `owner_dsn` logs in as the owner of the tables, not as the services' role. `active` is the
    space that is searched and filled from now on (default: as before; the first one made). Safe
    to run at any time and from several places at once; returns the revision.
    """
    url = owner_dsn.replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"SELECT pg_advisory_lock({MIGRATION_LOCK})"))
            await connection.commit()
            await connection.run_sync(_upgrade)
            for space in spaces:
                await connection.execute(
                    text("SELECT create_embedding_space(:model, :dims)"),
                    {"model": space.model, "dims": space.dims},
                )
            await connection.commit()
            if active is not None:
                await activate(owner_dsn, active.model, active.dims)
    finally:
        await engine.dispose()
    return required_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
