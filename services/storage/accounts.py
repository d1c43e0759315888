"""Tenants, users and API keys in the database, and the check of a key."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

import asyncpg

from services.runtime.auth import KeyKind, generate_key, hash_key
from services.runtime.context import Principal
from services.runtime.database import Connection, Database
from services.runtime.errors import AlreadyExists, NotFound, Unauthenticated
from services.runtime.ids import OwnerId, TenantId, new_id
from services.runtime.scope import Scope
from services.storage.queries import load

SQL = load("accounts")
# Enough of a key to know it by, and far too little to guess it: "mk_tenant_" and six characters.
SHOWN_CHARACTERS = 6


@dataclass(frozen=True, slots=True)
class TenantRow:
    """Somebody who runs agents."""

    tenant_id: TenantId
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class UserRow:
    """Somebody whose memory is kept."""

    owner_id: OwnerId
    user_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key without its secret."""

    key_id: UUID
    kind: KeyKind
    tenant_id: TenantId | None
    user_id: str | None
    name: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key to be made is for. `tenant_id` and `user_id` as the kind asks for them."""

    kind: KeyKind
    tenant_id: TenantId | None = None
    user_id: str | None = None
    name: str = ""
    expires_at: datetime | None = None


async def create_tenant(connection: Connection, name: str) -> TenantRow:
    """Makes a tenant. Several may have the same name."""
    return _tenant(await connection.fetchrow(SQL["insert_tenant"], new_id(), name))


async def get_tenant(connection: Connection, tenant_id: TenantId) -> TenantRow:
    """The tenant; NotFound if there is none that this transaction may see."""
    row = await connection.fetchrow(SQL["get_tenant"], tenant_id)
    if row is None:
        raise NotFound("tenant", str(tenant_id))
    return _tenant(row)


async def find_tenant(connection: Connection, name: str) -> TenantRow | None:
    """The oldest tenant of that name, or None."""
    row = await connection.fetchrow(SQL["find_tenant"], name)
    return None if row is None else _tenant(row)


async def list_tenants(
    connection: Connection, after: tuple[datetime, UUID] | None, limit: int
) -> list[TenantRow]:
    """Tenants by the time they were made, from the one behind `after`."""
    rows = await connection.fetch(SQL["list_tenants"], *(after or (None, None)), limit)
    return [_tenant(row) for row in rows]


async def create_user(
    connection: Connection, owner_id: OwnerId, tenant_id: TenantId, user_id: str
) -> UserRow:
    """Makes a user; AlreadyExists if the tenant has one of that id."""
    try:
        row = await connection.fetchrow(SQL["insert_user"], owner_id, tenant_id, user_id)
    except asyncpg.ForeignKeyViolationError:
        raise NotFound("tenant", str(tenant_id)) from None
    if row is None:
        raise AlreadyExists(
            f"there is a user {user_id!r}",
            metadata={"resource_type": "user", "resource_name": user_id},
        )
    return _user(row)


async def get_user(connection: Connection, owner_id: OwnerId, user_id: str) -> UserRow:
    """The user; NotFound if nothing was ever stored for them."""
    row = await connection.fetchrow(SQL["get_user"], owner_id)
    if row is None:
        raise NotFound("user", user_id)
    return _user(row)


async def list_users(
    connection: Connection, tenant_id: TenantId, after: str | None, limit: int
) -> list[UserRow]:
    """A tenant's users by id, from the one behind `after`."""
    rows = await connection.fetch(SQL["list_users"], tenant_id, after, limit)
    return [_user(row) for row in rows]


async def create_key(connection: Connection, new: NewKey) -> tuple[KeyRow, str]:
    """Makes a key; returns it with its secret, which is stored hashed only."""
    secret = generate_key(new.kind)
    shown = len(f"mk_{new.kind}_") + SHOWN_CHARACTERS
    try:
        row = await connection.fetchrow(
            SQL["insert_key"],
            new_id(),
            new.kind,
            new.tenant_id,
            new.user_id,
            new.name,
            hash_key(secret),
            secret[:shown],
            new.expires_at,
        )
    except asyncpg.ForeignKeyViolationError:
        raise NotFound("tenant", str(new.tenant_id)) from None
    return _key(row), secret


async def list_keys(
    connection: Connection,
    tenant_id: TenantId | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[KeyRow]:
    """A tenant's keys (the admin keys for None), the newest first, from the one behind `after`."""
    rows = await connection.fetch(SQL["list_keys"], tenant_id, *(after or (None, None)), limit)
    return [_key(row) for row in rows]


async def revoke_key(connection: Connection, key_id: UUID, tenant_id: TenantId | None) -> KeyRow:
    """Revokes a tenant's key (an admin key for None); NotFound if it is not theirs."""
    row = await connection.fetchrow(SQL["revoke_key"], key_id, tenant_id)
    if row is None:
        raise NotFound("api_key", str(key_id))
    return _key(row)


class DatabaseAuthenticator:
    """Looks a key up by its hash; the transaction sees that one key and nothing else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def authenticate(self, key: str) -> Principal:
        """Whom the key stands for; Unauthenticated if it is unknown, revoked or expired."""
        hashed = hash_key(key)
        async with self._database.transaction(Scope(key_hash=hashed), readonly=True) as connection:
            row = await connection.fetchrow(SQL["find_key"], hashed)
        if row is None:
            raise Unauthenticated("this API key is unknown", reason="API_KEY_INVALID")
        if row["revoked"]:
            raise Unauthenticated("this API key was revoked", reason="API_KEY_REVOKED")
        if row["expired"]:
            raise Unauthenticated("this API key has expired", reason="API_KEY_EXPIRED")
        return Principal(row["kind"], row["tenant_id"], row["user_id"], row["key_id"])


def _tenant(row: asyncpg.Record | None) -> TenantRow:
    if row is None:
        raise AssertionError("INSERT … RETURNING gave no row")
    return TenantRow(row["tenant_id"], row["name"], row["recorded_at"])


def _user(row: asyncpg.Record) -> UserRow:
    return UserRow(row["owner_id"], row["user_id"], row["recorded_at"])


def _key(row: asyncpg.Record | None) -> KeyRow:
    if row is None:
        raise AssertionError("INSERT … RETURNING gave no row")
    return KeyRow(
        key_id=row["key_id"],
        kind=cast(KeyKind, row["kind"]),
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        name=row["name"],
        prefix=row["prefix"],
        created_at=row["recorded_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
