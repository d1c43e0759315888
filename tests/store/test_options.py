"""Options: levels over each other, changed field by field; and the plans of what reads by them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.runtime.config import OptionSettings
from services.runtime.errors import NotFound
from services.runtime.ids import TenantId, new_id, owner_of
from services.runtime.scope import Scope
from services.storage import digest_runs, messages, options, sessions
from tests.conftest import TestDatabase
from tests.store.owners import Owner, new_owner, opened
from tests.store.plans import analyze, plan_of

SERVER = OptionSettings()


@pytest.fixture
async def user(test_database: TestDatabase) -> AsyncIterator[Owner]:
    async with opened(test_database) as database:
        yield await new_owner(database)


async def choose(user: Owner, cleared: tuple[str, ...] = (), **changes: object) -> None:
    async with user.database.transaction(Scope(user.tenant_id)) as connection:
        await options.change_tenant_options(connection, user.tenant_id, changes, cleared)


async def choose_for_user(user: Owner, cleared: tuple[str, ...] = (), **changes: object) -> None:
    async with user.transaction() as connection:
        await options.change_user_options(
            connection, user.tenant_id, user.owner_id, "alice", changes, cleared
        )


async def holding(user: Owner) -> OptionSettings:
    """What holds for the user, as a transaction of theirs reads it."""
    async with user.transaction() as connection:
        chosen = await options.read_options(connection, user.tenant_id, user.owner_id)
    return chosen.over(SERVER)


async def test_levels_over_each_other(user: Owner) -> None:
    assert await holding(user) == SERVER
    await choose(user, auto_extract=False, message_interval=5)
    await choose_for_user(user, message_interval=2, idle_timeout_seconds=1.5)
    held = await holding(user)
    assert (held.auto_extract, held.message_interval, held.idle_timeout_seconds) == (False, 2, 1.5)
    await choose_for_user(user, ("message_interval",))
    assert (await holding(user)).message_interval == 5
    await choose(user, ("auto_extract", "message_interval"))
    held = await holding(user)
    assert held == SERVER.model_copy(update={"idle_timeout_seconds": 1.5})


async def test_changes_of_several_fields_at_once_all_hold(user: Owner) -> None:
    fields: dict[str, Any] = {
        "auto_extract": False,
        "graph_enabled": False,
        "reflection_interval": 7,
    }
    await asyncio.gather(*(choose_for_user(user, **{name: fields[name]}) for name in fields))
    held = await holding(user)
    assert {name: getattr(held, name) for name in fields} == fields


async def test_what_a_newer_version_has_set_is_left_alone(user: Owner) -> None:
    await choose_for_user(user, reflection_interval=7, something_new="x")
    assert (await holding(user)).reflection_interval == 7
    await choose_for_user(user, reflection_interval=8)
    async with user.transaction() as connection:
        chosen = await options.read_options(connection, user.tenant_id, user.owner_id)
    assert chosen.of_user == {"reflection_interval": 8, "something_new": "x"}


async def test_another_tenant_s_users_are_not_reached(user: Owner) -> None:
    stranger = await new_owner(user.database, "alice")
    await choose(stranger, auto_extract=False)
    await choose_for_user(stranger, graph_enabled=False)
    assert await holding(user) == SERVER
    async with stranger.transaction() as connection:
        chosen = await options.read_options(connection, user.tenant_id, user.owner_id)
    assert (chosen.of_tenant, chosen.of_user) == ({}, {})


async def test_a_tenant_that_does_not_exist(user: Owner) -> None:
    nobody = TenantId(new_id())
    with pytest.raises(NotFound):
        async with user.database.transaction(Scope(nobody)) as connection:
            await options.change_tenant_options(connection, nobody, {"auto_extract": False}, ())
    owner_id = owner_of(nobody, "alice")
    with pytest.raises(NotFound):
        async with user.database.transaction(Scope(nobody, owner_id)) as connection:
            await options.change_user_options(
                connection, nobody, owner_id, "alice", {"auto_extract": False}, ()
            )


async def test_plans(user: Owner, test_database: TestDatabase) -> None:
    owner_id = user.owner_id
    async with user.transaction() as connection:
        await connection.execute(
            "INSERT INTO sessions (owner_id, session_id, number)"
            " SELECT $1, 's' || n, n FROM generate_series(1, 2000) AS n",
            owner_id,
        )
        await connection.execute(
            "INSERT INTO messages (owner_id, message_id, session_id, sequence, role, content,"
            " said_at, extraction_state) SELECT $1, gen_random_uuid(), 's' || 1 + n % 2000,"
            " 1 + n / 2000, 'user', 'x', now(),"
            " CASE WHEN n % 500 = 0 THEN 'pending' ELSE 'done' END"
            " FROM generate_series(0, 19999) AS n",
            owner_id,
        )
        await connection.execute(
            "INSERT INTO digests (owner_id, digest_id, recorded_at)"
            " SELECT $1, gen_random_uuid(), now() - n * interval '1 hour'"
            " FROM generate_series(1, 4000) AS n",
            owner_id,
        )
    await analyze(test_database)
    enough = await plan_of(user, messages.SQL["sessions_with_pending"], owner_id, ["s1", "s2"], 5)
    assert "ix_messages_unextracted" in enough
    assert "Seq Scan on messages" not in enough
    pending = await plan_of(user, sessions.SQL["lock_pending"], owner_id, "", "", 200)
    assert "ix_messages_unextracted" in pending
    assert "Seq Scan on messages" not in pending
    listed = await plan_of(user, digest_runs.SQL["list_digests"], owner_id, "", None, None, 50)
    assert "ix_digests_owner_recorded" in listed
    assert "Sort" not in listed
    running = await plan_of(user, digest_runs.SQL["another_runs"], owner_id, new_id())
    assert "ix_digests_owner_running" in running
