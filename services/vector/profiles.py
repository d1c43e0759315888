"""The ranking profiles there are: the built-in ones, and each tenant's own."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from services.runtime.database import Connection, Database
from services.runtime.errors import FailedPrecondition, NotFound
from services.runtime.ids import TenantId
from services.runtime.scope import Scope
from services.storage import ranking_profiles
from services.vector.convert_profile import body_of, stored_profile
from services.vector.ranking.profile import BUILT_IN, DEFAULT, Profile

KEEP_SECONDS = 5.0
"""How long a search may be ranked by a profile that has changed meanwhile."""

_MOST_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Known:
    """A profile. `stored_at` is None for a built-in one."""

    profile: Profile
    stored_at: datetime | None = None


class Profiles:
    """Reads and writes profiles; keeps those that searches ask for, a few seconds."""

    def __init__(self, database: Database, *, keep_seconds: float = KEEP_SECONDS) -> None:
        self._database = database
        self._keep_seconds = keep_seconds
        self._kept: OrderedDict[tuple[TenantId, str], tuple[float, Known]] = OrderedDict()

    async def for_search(self, scope: Scope, name: str) -> Known:
        """The profile to rank by, mostly without asking the database; empty: the default one.

        NotFound unless it is built in or the tenant's own.
        """
        tenant_id, name = _tenant_of(scope), name or DEFAULT
        expires, kept = self._kept.get((tenant_id, name), (0.0, None))
        if kept is not None and time.monotonic() < expires:
            return kept
        return await self.get(scope, name)

    async def get(self, scope: Scope, name: str) -> Known:
        """The profile as it is now; NotFound as above."""
        if name in BUILT_IN:
            return Known(BUILT_IN[name])
        tenant_id = _tenant_of(scope)
        async with self._database.transaction(scope, readonly=True) as connection:
            row = await ranking_profiles.get_profile(connection, tenant_id, name)
        if row is None:
            self._kept.pop((tenant_id, name), None)
            raise NotFound("ranking_profile", name)
        return self._keep(tenant_id, Known(stored_profile(row), row.recorded_at))

    async def list_all(self, scope: Scope) -> list[Known]:
        """The built-in ones, then the tenant's own, each by name."""
        async with self._database.transaction(scope, readonly=True) as connection:
            rows = await ranking_profiles.list_profiles(connection, _tenant_of(scope))
        return [
            *(Known(BUILT_IN[name]) for name in sorted(BUILT_IN)),
            *(Known(stored_profile(row), row.recorded_at) for row in rows),
        ]

    async def put(self, scope: Scope, profile: Profile) -> Known:
        """Stores a profile of the tenant; FailedPrecondition if its name is a built-in one's.

        NotFound if there is no such tenant, ResourceExhausted if it has too many.
        """
        tenant_id = _tenant_of(scope)
        _refuse_built_in(profile.name)

        async def write(connection: Connection) -> ranking_profiles.ProfileRow:
            return await ranking_profiles.put_profile(
                connection, tenant_id, profile.name, body_of(profile)
            )

        row = await self._database.run(scope, write)
        return self._keep(tenant_id, Known(stored_profile(row), row.recorded_at))

    async def delete(self, scope: Scope, name: str) -> bool:
        """Deletes a profile of the tenant; False if there is none. Refuses built-in ones."""
        tenant_id = _tenant_of(scope)
        _refuse_built_in(name)

        async def write(connection: Connection) -> bool:
            return await ranking_profiles.delete_profile(connection, tenant_id, name)

        deleted = await self._database.run(scope, write)
        self._kept.pop((tenant_id, name), None)
        return deleted

    def _keep(self, tenant_id: TenantId, known: Known) -> Known:
        key = (tenant_id, known.profile.name)
        self._kept[key] = (time.monotonic() + self._keep_seconds, known)
        self._kept.move_to_end(key)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return known


def _tenant_of(scope: Scope) -> TenantId:
    if scope.tenant_id is None:
        raise AssertionError("ranking profiles belong to a tenant")
    return TenantId(scope.tenant_id)


def _refuse_built_in(name: str) -> None:
    if name in BUILT_IN:
        raise FailedPrecondition(
            f"the ranking profile {name!r} comes with the server and can't be changed",
            reason="RANKING_PROFILE_BUILT_IN",
            metadata={"name": name},
        )
