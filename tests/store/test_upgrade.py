"""A database of the first schema, with data, is brought to the present one and searched."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.runtime.database import Database
from services.runtime.ids import OwnerId, TenantId, owner_of
from services.storage import foundation
from services.storage.codes import SegmentCache
from services.storage.hybrid_search import Hit, Query, search
from services.storage.migrate import MIGRATIONS, migrate, required_revision
from services.storage.places import kind_of, part_of, sequence_of, session_of
from services.storage.search import Filter
from services.storage.search_items import count_unembedded, places_of, unembedded
from services.text.terms import query_terms
from tests.conftest import TEST_SPACE, Cluster, TestDatabase
from tests.store.owners import Owner, opened

LONG = " ".join(f"Sentence number {n} tells of the weather in town {n}." for n in range(60))
SAID = datetime(2026, 3, 1, 9, tzinfo=UTC)
TOLD = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
async def first_schema(cluster: Cluster, template: str) -> AsyncIterator[TestDatabase]:
    """An empty database as the first migration made it, with an embedding space."""
    name = f"test_{uuid4().hex}"
    superuser = await asyncpg.connect(cluster.superuser_dsn)
    await superuser.execute(f'CREATE DATABASE "{name}" OWNER mnema_owner')
    made = TestDatabase(
        cluster.dsn("mnema_service", name),
        cluster.dsn("mnema_owner", name),
        cluster.dsn("postgres", name),
    )
    connection = await asyncpg.connect(made.superuser_dsn)
    await connection.execute("CREATE EXTENSION vector")
    await connection.close()
    url = made.owner_dsn.replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as to_upgrade:
        await to_upgrade.run_sync(_to_first_schema)
    await engine.dispose()
    connection = await asyncpg.connect(made.owner_dsn)
    await connection.execute(
        "SELECT create_embedding_space($1, $2)", TEST_SPACE.model, TEST_SPACE.dims
    )
    await connection.close()
    yield made
    await superuser.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await superuser.close()


def _to_first_schema(connection: SyncConnection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


async def _fill(database: TestDatabase, user_id: str) -> tuple[TenantId, OwnerId, dict[str, UUID]]:
    """What a user had before: two sessions, memories, a file, all of it indexed as it was."""
    ids = {name: uuid4() for name in ("short", "long", "later", "now", "before", "chunk", "file")}
    tenant_id = TenantId(uuid4())
    owner_id = owner_of(tenant_id, user_id)
    superuser = await asyncpg.connect(database.superuser_dsn)
    await superuser.execute("INSERT INTO tenants (tenant_id, name) VALUES ($1, 't')", tenant_id)
    await superuser.execute("INSERT INTO users VALUES ($1, $2, $3)", owner_id, tenant_id, user_id)
    # "b" was opened before "a".
    for session_id, at in (("b", SAID), ("a", TOLD)):
        await superuser.execute(
            "INSERT INTO sessions (owner_id, session_id, recorded_at, message_count)"
            " VALUES ($1, $2, $3, 2)", owner_id, session_id, at,
        )  # fmt: skip
    for name, session_id, sequence, content in (
        ("short", "b", 1, "My dog Rex likes the beach"), ("long", "b", 2, LONG),
        ("later", "a", 1, "Back to the beach"),
    ):  # fmt: skip
        await superuser.execute(
            "INSERT INTO messages (owner_id, message_id, session_id, sequence, role, speaker,"
            " content, said_at) VALUES ($1, $2, $3, $4, 'user', 'Ann', $5, $6)",
            owner_id, ids[name], session_id, sequence, content, SAID,
        )  # fmt: skip
        await superuser.execute(
            "INSERT INTO search_items (owner_id, item_id, kind, length)"
            " VALUES ($1, $2, 'message', 4)", owner_id, ids[name],
        )  # fmt: skip
    await superuser.execute(
        "INSERT INTO postings VALUES ($1, 'beach', $2, 1)", owner_id, ids["short"]
    )
    for name, content, retracted_at in (
        ("before", "Ann lives in Oslo", TOLD), ("now", "Ann lives in Rome", None),
    ):  # fmt: skip
        await superuser.execute(
            "INSERT INTO memories (owner_id, item_id, memory_id, memory_type, content,"
            " source_message_ids, first_recorded_at, recorded_at, retracted_at, retracted_reason)"
            " VALUES ($1, $2, gen_random_uuid(), 'fact', $3, $4, $5, $5, $6, $7)",
            owner_id, ids[name], content, [ids["short"]], SAID if retracted_at else TOLD,
            retracted_at, "superseded" if retracted_at else "",
        )  # fmt: skip
    await superuser.execute(
        "INSERT INTO documents (owner_id, file_id, filename, file_type, mime_type, size_bytes,"
        " sha256, source_type) VALUES ($1, $2, 'a.txt', 'txt', 'text/plain', 9, '', 'text')",
        owner_id, ids["file"],
    )  # fmt: skip
    await superuser.execute(
        "INSERT INTO chunks (owner_id, chunk_id, file_id, position, content, start_offset,"
        " end_offset) VALUES ($1, $2, $3, 0, 'Tides at the beach', 0, 18)",
        owner_id, ids["chunk"], ids["file"],
    )  # fmt: skip
    await superuser.close()
    return tenant_id, owner_id, ids


async def _found(database: Database, owner: Owner, words: str, chosen: Filter) -> list[Hit]:
    async with owner.transaction() as connection:
        space = await foundation.active_space(connection)
        query = Query(query_terms(words), None)
        return await search(connection, owner.owner_id, space, query, chosen, 50, SegmentCache())


async def test_what_was_stored_before_is_found(first_schema: TestDatabase) -> None:
    users = [await _fill(first_schema, user_id) for user_id in ("ann", "zoe")]
    assert await migrate(first_schema.owner_dsn, [TEST_SPACE]) == required_revision()
    everything = Filter(kinds=("message", "memory", "chunk"))
    async with opened(first_schema) as database:
        assert await database.check_schema(foundation.schema_revision, foundation.REQUIRED_SCHEMA)
        for tenant_id, owner_id, ids in users:
            owner = Owner(database, tenant_id, owner_id)
            hits = await _found(database, owner, "beach", everything)
            assert {hit.item_id for hit in hits} == {ids["short"], ids["later"], ids["chunk"]}
            hits = await _found(database, owner, "lives", Filter())
            assert [hit.item_id for hit in hits] == [ids["now"]]
            hits = await _found(database, owner, "lives", Filter(as_of=SAID))
            assert [hit.item_id for hit in hits] == [ids["before"]]
            async with owner.transaction() as connection:
                places = await places_of(connection, owner_id, list(ids.values()))
                texts = [each.text for each in await unembedded(connection, owner_id, 100)]
                units = sum(map(len, places.values()))
                assert await count_unembedded(connection, owner_id) == len(texts) == units
            (place,) = places[ids["short"]]
            assert (session_of(place), sequence_of(place), part_of(place)) == (1, 1, 0)
            assert [session_of(each) for each in places[ids["later"]]] == [2]
            long = places[ids["long"]]
            assert [part_of(each) for each in long] == list(range(len(long)))
            assert len(long) > 2
            assert [kind_of(*places[ids[name]]) for name in ("now", "chunk")] == [1, 2]
            assert "Ann: My dog Rex likes the beach" in texts
            assert sum(text.startswith("Ann: Sentence number") for text in texts) == len(long)
            assert "Tides at the beach" in texts


async def test_each_user_is_queued_for_embedding_once(first_schema: TestDatabase) -> None:
    users = [await _fill(first_schema, user_id) for user_id in ("ann", "zoe")]
    await migrate(first_schema.owner_dsn, [TEST_SPACE])
    await migrate(first_schema.owner_dsn, [TEST_SPACE])
    superuser = await asyncpg.connect(first_schema.superuser_dsn)
    jobs = await superuser.fetch("SELECT entrypoint, payload FROM pgqueuer")
    forgotten = await superuser.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND NOT (relrowsecurity AND relforcerowsecurity)"
    )
    await superuser.close()
    assert {row["entrypoint"] for row in jobs} == {"embed"}
    assert sorted(json.loads(row["payload"])["owner_id"] for row in jobs) == sorted(
        str(owner_id) for _, owner_id, _ in users
    )
    assert forgotten == []


async def test_what_a_digest_had_read_before_is_known(first_schema: TestDatabase) -> None:
    _, owner_id, ids = await _fill(first_schema, "ann")
    digest_id, digested = uuid4(), datetime(2026, 3, 3, 9, tzinfo=UTC)
    superuser = await asyncpg.connect(first_schema.superuser_dsn)
    await superuser.execute(
        "INSERT INTO digests VALUES ($1, $2, 1, 0, $3)", owner_id, digest_id, digested
    )
    await superuser.execute(
        "UPDATE memories SET digest_id = $1 WHERE item_id = $2", digest_id, ids["now"]
    )
    await migrate(first_schema.owner_dsn, [TEST_SPACE])
    rows = await superuser.fetch("SELECT item_id, recorded_at, digest_id FROM digest_marks")
    await superuser.close()
    assert [tuple(row) for row in rows] == [(ids["now"], digested, digest_id)]
