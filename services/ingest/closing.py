"""Closing a session: no more messages, and no more waiting for them."""

from services.contract.user import User
from services.ingest.intake import queue_extractions
from services.runtime.database import Connection
from services.storage import sessions


async def close(connection: Connection, user: User, session_id: str) -> None:
    """Closes a session and has what it holds extracted now.

    Changes nothing if it is closed or does not exist.
    """
    session = await sessions.lock_session(connection, user.owner_id, session_id)
    if session is None or session.closed:
        return
    await sessions.close_session(connection, user.owner_id, session_id)
    if session.extraction_queued:
        # The job that waits for a burst to end finds nothing left, and ends.
        await queue_extractions(connection, user, [session_id], 0.0)
