"""Slots that empty: what has one value at a time may come to have none."""

from datetime import datetime

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.events import MemoryChanged
from services.storage.queries import load
from services.storage.search_items import retract_items

SQL = load("slots")


async def vacate_slot(
    connection: Connection, owner_id: OwnerId, slot: str, name: str, ended_at: datetime
) -> MemoryChanged | None:
    """Takes the slot's holder out of the present ('ended') if it is about `name`.

    "Left Google" ends "Works at Google", and nothing that has been true since after `ended_at`.
    What there is to tell of it is for the caller to record as an event.
    """
    row = await connection.fetchrow(SQL["vacate_slot"], owner_id, slot, name.lower(), ended_at)
    if row is None:
        return None
    await retract_items(connection, owner_id, [row["item_id"]])
    return MemoryChanged(str(row["memory_id"]), "ended", row["memory_type"], row["revision"])
