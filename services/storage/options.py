"""Options of tenants and users, over those of the server.

Read in the transaction that needs them, by primary keys: a change holds from the next
transaction on, in every process.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
from pydantic import ValidationError

from services.runtime.config import OptionSettings
from services.runtime.database import Connection
from services.runtime.errors import NotFound
from services.runtime.ids import OwnerId, TenantId
from services.storage.foundation import register_user
from services.storage.queries import load

SQL = load("options")
NAMES = tuple(OptionSettings.model_fields)
"""Of the options, as they are stored."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The options that a tenant and one of its users have set, by their names."""

    of_tenant: Mapping[str, Any]
    of_user: Mapping[str, Any]

    def over(self, server: OptionSettings) -> OptionSettings:
        """What holds: the user's choice, else the tenant's, else the server's."""
        chosen = {**self.of_tenant, **self.of_user}
        # They were checked when they were stored; a newer version may know more of them.
        return server.model_copy(update={name: chosen[name] for name in NAMES if name in chosen})


async def read_options(
    connection: Connection, tenant_id: TenantId, owner_id: OwnerId | None
) -> Chosen:
    """What the tenant and the user have set; without an owner the tenant alone."""
    return _chosen(await connection.fetchrow(SQL["get_options"], tenant_id, owner_id))


async def register_and_read(
    connection: Connection, owner_id: OwnerId, tenant_id: TenantId, user_id: str
) -> Chosen:
    """`foundation.register_user` and `read_options` at once."""
    row = await connection.fetchrow(SQL["register_user_with_options"], owner_id, tenant_id, user_id)
    return _chosen(row)


async def change_tenant_options(
    connection: Connection,
    tenant_id: TenantId,
    changes: Mapping[str, Any],
    cleared: Iterable[str],
) -> None:
    """Sets and clears options of a tenant; NotFound if there is none of that id."""
    arguments = (tenant_id, list(cleared), dict(changes))
    if await connection.fetchval(SQL["change_tenant_options"], *arguments) is None:
        raise NotFound("tenant", str(tenant_id))


async def change_user_options(
    connection: Connection,
    tenant_id: TenantId,
    owner_id: OwnerId,
    user_id: str,
    changes: Mapping[str, Any],
    cleared: Iterable[str],
) -> None:
    """Sets and clears options of a user, who is made if new; NotFound: there is no such tenant."""
    try:
        await register_user(connection, owner_id, tenant_id, user_id)
    except asyncpg.ForeignKeyViolationError:
        raise NotFound("tenant", str(tenant_id)) from None
    await connection.execute(SQL["change_user_options"], owner_id, list(cleared), dict(changes))


def what_is_wrong(values: Mapping[str, Any]) -> str | None:
    """What keeps options that come from elsewhere from being stored; None if nothing does.

    Names that are unknown here are a newer version's, and no harm.
    """
    known = {name: values[name] for name in NAMES if name in values}
    try:
        OptionSettings.model_validate(known, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{first['loc'][0]}: {first['msg']}"
    return None


def _chosen(row: asyncpg.Record | None) -> Chosen:
    if row is None:
        raise AssertionError("a SELECT without FROM always gives a row")
    return Chosen(row["of_tenant"] or {}, row["of_user"] or {})
