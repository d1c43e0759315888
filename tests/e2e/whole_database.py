"""Looking through everything that a system keeps: each row of each table, each stored object."""

from collections.abc import Iterable
from pathlib import Path

import asyncpg

from services.app.local_stack import LocalStack

# Of the schema, not of anybody: found by name, and never holding what a caller said.
_EVERY_TABLE = (
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'm') "
    "AND relnamespace = 'public'::regnamespace ORDER BY relname"
)


async def rows_with(stack: LocalStack, words: Iterable[str]) -> list[str]:
    """The tables in which any column of any row, as text or as bytes, holds one of the words."""
    wanted = [each for word in words for each in (word, word.encode().hex())]
    connection = await asyncpg.connect(stack.postgres.access().superuser_dsn)
    try:
        tables = [row["relname"] for row in await connection.fetch(_EVERY_TABLE)]
        assert len(tables) > 30
        return [
            f"{table}: {word}"
            for table in tables
            for word in wanted
            if await connection.fetchval(
                f'SELECT EXISTS (SELECT FROM "{table}" AS held '
                "WHERE strpos(lower(held::text), lower($1)) > 0)",
                word,
            )
        ]
    finally:
        await connection.close()


def objects_with(stack: LocalStack, words: Iterable[str]) -> list[Path]:
    """The stored objects whose bytes or names hold one of the words."""
    wanted = [word.encode() for word in words]
    return [
        path
        for path in (stack.home / "files").rglob("*")
        if path.is_file()
        and any(word in path.read_bytes() or word in str(path).encode() for word in wanted)
    ]


async def unembedded(stack: LocalStack) -> int:
    """How many units of all users wait for a vector."""
    connection = await asyncpg.connect(stack.postgres.access().superuser_dsn)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM unembedded"))
    finally:
        await connection.close()


async def accesses(stack: LocalStack) -> int:
    """How often recalls have returned memories, of all users, as far as it is written down."""
    connection = await asyncpg.connect(stack.postgres.access().superuser_dsn)
    try:
        total: int = await connection.fetchval(
            "SELECT coalesce(sum(access_count), 0)::bigint FROM memory_accesses"
        )
        return total
    finally:
        await connection.close()
