"""Announcements to every process of an installation, through the database they share."""

from services.runtime.database import Connection
from services.storage.queries import load

SQL = load("announcements")

EMBEDDING_CACHE = "mnema_embedding_cache"
"""Says that the embeddings that are kept in memory are to be forgotten."""


async def announce(connection: Connection, channel: str, said: str = "") -> None:
    """Tells those who listen on the channel once this transaction has committed."""
    await connection.execute(SQL["announce"], channel, said)
