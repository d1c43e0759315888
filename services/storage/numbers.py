"""Numbers that count a user's things one by one, for their places in the search index."""

from typing import Literal

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.queries import load

SQL = load("numbers")


async def take_numbers(
    connection: Connection, owner_id: OwnerId, counted: Literal["placeless", "rewrite"], count: int
) -> int:
    """Takes `count` numbers, and returns the first: none of them is ever given again.

    Other takers wait until this transaction ends. Sessions and documents take theirs in the
    statement that makes them.
    """
    last: int = await connection.fetchval(SQL["take_numbers"], owner_id, counted, count)
    return last - count + 1
