"""Another embedding model on the same database, and back."""

from collections.abc import AsyncIterator

import asyncpg
import numpy as np
import pytest

from services.storage.foundation import active_space
from services.storage.memories import remember
from services.storage.memory_rows import NewMemory
from services.storage.migrate import SpaceSpec, migrate
from services.storage.search_items import count_unembedded
from services.storage.space_activation import activate
from tests.conftest import TEST_SPACE, TestDatabase
from tests.store.owners import Owner, new_owner, opened

OTHER = SpaceSpec("another model", 1536)


@pytest.fixture
async def owner(test_database: TestDatabase) -> AsyncIterator[Owner]:
    async with opened(test_database) as database:
        yield await new_owner(database)


async def _own_database(test_database: TestDatabase) -> None:
    """A copied database is its maker's; an installation's is the tables' owner's."""
    superuser = await asyncpg.connect(test_database.superuser_dsn)
    name = await superuser.fetchval("SELECT current_database()")
    await superuser.execute(f'ALTER DATABASE "{name}" OWNER TO mnema_owner')
    await superuser.close()


async def _remember(owner: Owner, content: str) -> None:
    async with owner.transaction() as connection:
        space = await active_space(connection)
        vector = np.eye(1, space.dims, dtype=np.float32)[0]
        memory = NewMemory("fact", content, vector=vector)
        await remember(connection, owner.owner_id, [memory], space)


async def _state(owner: Owner) -> tuple[str, int]:
    async with owner.transaction() as connection:
        space = await active_space(connection)
        return space.model, await count_unembedded(connection, owner.owner_id)


async def _jobs(test_database: TestDatabase, owner: Owner) -> int:
    async with owner.transaction() as connection:
        await connection.execute("SELECT set_config('mnema.queue', 'on', true)")
        count: int = await connection.fetchval(
            "SELECT count(*) FROM pgqueuer WHERE dedupe_key = $1", f"embed:{owner.owner_id}"
        )
        return count


async def test_what_has_no_vector_of_the_model_waits_for_one(
    test_database: TestDatabase, owner: Owner
) -> None:
    await _own_database(test_database)
    bob = await new_owner(owner.database, "bob")  # who has nothing
    await _remember(owner, "one")
    await _remember(owner, "two")
    assert await _state(owner) == (TEST_SPACE.model, 0)
    await migrate(test_database.owner_dsn, [OTHER])
    assert await _state(owner) == (TEST_SPACE.model, 0), "made, but not asked for"
    await migrate(test_database.owner_dsn, [OTHER], active=OTHER)
    assert await _state(owner) == (OTHER.model, 2)
    assert await _jobs(test_database, owner) == 1
    assert await _state(bob) == (OTHER.model, 0)
    assert await _jobs(test_database, bob) == 0
    await _remember(owner, "three")
    assert await _state(owner) == (OTHER.model, 2)
    # Back: only what was added meanwhile is missing there.
    assert await activate(test_database.owner_dsn, TEST_SPACE.model, TEST_SPACE.dims)
    assert await _state(owner) == (TEST_SPACE.model, 1)
    assert not await activate(test_database.owner_dsn, TEST_SPACE.model, TEST_SPACE.dims)
    assert await _jobs(test_database, owner) == 1, "the one that waits does the work of both"


async def test_an_unknown_space_changes_nothing(test_database: TestDatabase, owner: Owner) -> None:
    with pytest.raises(LookupError):
        await activate(test_database.owner_dsn, "no model", 7)
    assert await _state(owner) == (TEST_SPACE.model, 0)
