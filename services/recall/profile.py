"""The user's profile: read where it stands, for recall has connections to the database anyway."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.contract.user import User
from services.runtime.database import Database
from services.storage.key_values import PROFILE, list_values

MOST_KEYS = 1000


async def read_profile(database: Database, user: User, as_of: datetime | None) -> Mapping[str, Any]:
    """The values of the namespace `profile` by their keys, now or as they stood at `as_of`."""
    async with database.transaction(user.scope, readonly=True, plan_once=True) as connection:
        rows = await list_values(connection, user.owner_id, PROFILE, limit=MOST_KEYS, as_of=as_of)
    return {row.key: row.value for row in rows}
