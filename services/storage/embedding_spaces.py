"""The tables of embedding spaces, by their names."""

import re

from services.runtime.database import Connection
from services.runtime.errors import Internal
from services.storage.foundation import EmbeddingSpace
from services.storage.queries import load

SQL = load("embedding_spaces")

_VECTOR_TABLE = re.compile(r"vectors_([0-9]+)")


def in_space(statement: str, space: EmbeddingSpace) -> str:
    """The statement with the space's tables in the places of {vectors}, {codes}, {segments}.

    A table cannot be a parameter. Its name comes from embedding_spaces, which only
    create_embedding_space() writes; a name of any other form than that function's is
    Internal, so nothing else ever becomes part of a statement.
    """
    named = _VECTOR_TABLE.fullmatch(space.table_name)
    if not named:
        raise Internal(f"embedding space {space.space_id} names no vector table")
    for table in ("vectors", "codes", "segments"):
        statement = statement.replace(f"{{{table}}}", f"{table}_{named[1]}")
    return statement


async def list_spaces(connection: Connection) -> list[EmbeddingSpace]:
    """Every embedding space there is, active or not."""
    rows = await connection.fetch(SQL["list_spaces"])
    return [
        EmbeddingSpace(row["space_id"], row["model"], row["dims"], row["table_name"])
        for row in rows
    ]
