"""The ways to rank that a tenant has made. Its users' transactions may read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.runtime.database import Connection
from services.runtime.errors import NotFound, ResourceExhausted
from services.runtime.ids import TenantId
from services.storage.queries import load

SQL = load("ranking_profiles")
MOST_PROFILES = 100
"""Of a tenant's own."""


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """A stored profile; what `body` holds is the ranking's affair."""

    name: str
    body: Mapping[str, Any]
    recorded_at: datetime


async def get_profile(connection: Connection, tenant_id: TenantId, name: str) -> ProfileRow | None:
    """The tenant's profile of that name, or None."""
    row = await connection.fetchrow(SQL["get_profile"], tenant_id, name)
    return None if row is None else ProfileRow(**dict(row))


async def list_profiles(connection: Connection, tenant_id: TenantId) -> list[ProfileRow]:
    """All of the tenant's, by name."""
    rows = await connection.fetch(SQL["list_profiles"], tenant_id)
    return [ProfileRow(**dict(row)) for row in rows]


async def put_profile(
    connection: Connection, tenant_id: TenantId, name: str, body: Mapping[str, Any]
) -> ProfileRow:
    """Stores a profile in place of the one of that name.

    NotFound if there is no such tenant; ResourceExhausted if it has MOST_PROFILES others.
    """
    if await connection.fetchval(SQL["lock_tenant"], tenant_id) is None:
        raise NotFound("tenant", str(tenant_id))
    row = await connection.fetchrow(
        SQL["put_profile"], tenant_id, name, dict(body), MOST_PROFILES - 1
    )
    if row is None:
        raise ResourceExhausted(
            f"a tenant has at most {MOST_PROFILES} ranking profiles",
            metadata={"limit": str(MOST_PROFILES)},
        )
    return ProfileRow(**dict(row))


async def delete_profile(connection: Connection, tenant_id: TenantId, name: str) -> bool:
    """Deletes a profile; False if there was none."""
    return await connection.fetchval(SQL["delete_profile"], tenant_id, name) is not None
