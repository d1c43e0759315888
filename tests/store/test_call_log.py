"""Calls of models become events: behind the caller's back, in batches, at best effort."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.providers.embeddings.observed import EmbeddingCall
from services.providers.llm.base import LlmCall
from services.runtime import context
from services.runtime.config import EventSettings
from services.runtime.ids import owner_of
from services.runtime.scope import Scope
from services.storage import call_log, deletions, events, foundation
from services.storage.call_log import CallLog
from services.storage.events import EmbeddingCalled, EventRow, LlmCalled, Position
from tests.conftest import TestDatabase
from tests.patience import PATIENCE, function_calls
from tests.store.owners import Owner, new_owner, opened

ASKED = LlmCall(12.5, "gpt", 800, 0.2, success=True, prompt_tokens=70, completion_tokens=9)


@pytest.fixture
async def user(
    test_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Owner]:
    """Who is told, however long the database takes at the end."""
    monkeypatch.setattr(call_log, "_LAST_SECONDS", PATIENCE)
    async with opened(test_database) as database:
        yield await new_owner(database)


async def told(user: Owner, scope: Scope | None = None) -> list[EventRow]:
    scope = scope or Scope(user.tenant_id)
    async with user.database.transaction(scope) as connection:
        after = Position(0, 0, datetime.now(UTC))
        return list((await events.read(connection, scope, after, (), 1000)).events)


async def test_calls_are_told_of_those_whom_the_work_is_about(user: Owner) -> None:
    other = (await new_owner(user.database)).tenant_id
    bob = owner_of(user.tenant_id, "bob")
    async with user.database.transaction(Scope(user.tenant_id, bob)) as connection:
        await foundation.register_user(connection, bob, user.tenant_id, "bob")
    async with CallLog.open(user.database, EventSettings()) as calls:
        with context.act_for(user.tenant_id, "alice", timeout=0.01):
            calls.llm("extraction")(ASKED)
        with context.act_for(user.tenant_id):
            calls.embedding(EmbeddingCall(1, 0.5, "mini", success=False))
            context.user_scope("bob")  # as a tenant's request does that names a user
            calls.embedding(EmbeddingCall(3, 1.5, "mini", success=True))
        with context.act_for(other, "alice"):
            calls.embedding(EmbeddingCall(9, 1.5, "mini", success=True))
        calls.embedding(EmbeddingCall(8, 1.0, "mini", success=True))  # nobody's: at a start, say
    assert [(each.user_id, each.payload) for each in await told(user)] == [
        ("alice", LlmCalled("extraction", "gpt", 12.5, 800, 0.2, True, 70, 9)),
        ("", EmbeddingCalled(1, "mini", 0.5, success=False)),
        ("bob", EmbeddingCalled(3, "mini", 1.5, success=True)),
    ]
    assert [each.user_id for each in await told(user, Scope(other))] == ["alice"]


async def test_a_call_told_behind_the_erasure_of_its_user_names_nobody(user: Owner) -> None:
    async with CallLog.open(user.database, EventSettings()) as calls:
        with context.act_for(user.tenant_id, "alice"):
            calls.embedding(EmbeddingCall(3, 1.5, "mini", success=True))
        async with user.database.transaction(Scope(user.tenant_id)) as connection:
            await deletions.erase_user(connection, user.tenant_id, user.owner_id, "alice")
    (event,) = await told(user)
    assert event.user_id == ""
    assert await told(user, Scope(user.tenant_id, user.owner_id)) == []


async def test_noting_costs_little_and_what_is_too_much_is_left_out(user: Owner) -> None:
    async with CallLog.open(user.database, EventSettings()) as calls:
        with context.act_for(user.tenant_id, "alice"):

            def note() -> None:
                for n in range(6_000):
                    calls.embedding(EmbeddingCall(n, 1.0, "mini", success=True))

            assert function_calls(note) < 50 * 6_000  # some 15 each, however many wait
    async with user.database.transaction(Scope(user.tenant_id)) as connection:
        rows = await connection.fetch("SELECT (details->>'text_count')::int AS n FROM events")
    assert sorted(row["n"] for row in rows) == list(range(1_000, 6_000))


async def test_a_database_that_is_away_hurts_nobody(user: Owner) -> None:
    async with CallLog.open(user.database, EventSettings()) as calls:
        with context.act_for(user.tenant_id, "alice"):
            calls.llm("digest")(ASKED)
        await user.database.close()


async def test_calls_can_be_kept_out(user: Owner) -> None:
    async with CallLog.open(user.database, EventSettings(calls=False)) as calls:
        with context.act_for(user.tenant_id, "alice"):
            calls.llm("digest")(ASKED)
    assert await told(user) == []
