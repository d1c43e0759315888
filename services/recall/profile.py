"""The user's profile and options: read where they stand, for recall is connected anyway."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.contract.user import User
from services.runtime.database import Database
from services.storage.key_values import PROFILE, list_values
from services.storage.options import Chosen, read_options

MOST_KEYS = 1000


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for a user: the profile by its keys, and the options that were chosen."""

    profile: Mapping[str, Any]
    chosen: Chosen


async def read_standing(database: Database, user: User, as_of: datetime | None) -> Standing:
    """The namespace `profile`, now or as it stood at `as_of`, and the options as they are now."""
    async with database.transaction(user.scope, readonly=True, plan_once=True) as connection:
        chosen = await read_options(connection, user.tenant_id, user.owner_id)
        rows = await list_values(connection, user.owner_id, PROFILE, limit=MOST_KEYS, as_of=as_of)
    return Standing({row.key: row.value for row in rows}, chosen)
