"""Identifiers: who owns a row, and how new ones are made."""

from functools import lru_cache
from typing import NewType
from uuid import UUID, uuid5

import uuid_utils.compat

TenantId = NewType("TenantId", UUID)
OwnerId = NewType("OwnerId", UUID)


def new_id() -> UUID:
    """A UUIDv7: unique, and ordered by the moment of its making (milliseconds)."""
    return uuid_utils.compat.uuid7()


@lru_cache(maxsize=8192)  # every call of every service asks for it
def owner_of(tenant_id: TenantId, user_id: str) -> OwnerId:
    """The key of one user of one tenant: UUIDv5 of the user's id under the tenant's.

    Derived, so no service needs a look-up to know it, and two tenants' users of the
    same name never share one.
    """
    return OwnerId(uuid5(tenant_id, user_id))
