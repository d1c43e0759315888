"""Closing a session: no more messages, and no more waiting for them."""

from services.contract.user import User
from services.ingest.triggers import queue_closed
from services.runtime.config import OptionSettings
from services.runtime.database import Connection
from services.storage import sessions
from services.storage.options import read_options


async def close(
    connection: Connection, user: User, session_id: str, server: OptionSettings
) -> None:
    """Closes a session and has what it holds extracted now, unless that is not wanted.

    Changes nothing if it is closed or does not exist. `server` holds where neither the tenant
    nor the user has chosen.
    """
    session = await sessions.lock_session(connection, user.owner_id, session_id)
    if session is None or session.closed:
        return
    await sessions.close_session(connection, user.owner_id, session_id)
    chosen = await read_options(connection, user.tenant_id, user.owner_id)
    await queue_closed(connection, user, session_id, chosen.over(server))
