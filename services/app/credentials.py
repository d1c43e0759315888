"""What an embedded run keeps for itself in its home: the services' key, a tenant, its API key."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from services.runtime.auth import hash_key
from services.runtime.config import DatabaseSettings
from services.runtime.database import Database
from services.runtime.ids import TenantId
from services.runtime.scope import Scope
from services.storage import accounts
from services.storage.accounts import NewKey

TENANT_NAME = "default"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Secrets of one home folder, in `credentials.json`, readable by its owner alone."""

    internal_key: str
    tenant_id: str = ""
    api_key: str = ""
    admin_key: str = ""

    @classmethod
    def load(cls, home: Path) -> Self:
        """What the home has; a new internal key for a new home, saved at once."""
        path = _path(home)
        if path.exists():
            return cls(**json.loads(path.read_text()))
        fresh = cls(internal_key=secrets.token_urlsafe(32))
        fresh.save(home)
        return fresh

    def save(self, home: Path) -> None:
        """Writes all of it or none of it."""
        path = _path(home)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


async def ensure_account(home: Path, service_dsn: str) -> Credentials:
    """Makes the default tenant, its key and an admin key, unless the home has working ones.

    A home whose database was replaced gets new ones.
    """
    known = Credentials.load(home)
    async with Database.open(DatabaseSettings(dsn=SecretStr(service_dsn))) as database:
        if known.api_key and await _works(database, known.api_key):
            return known
        async with database.transaction(Scope(admin=True)) as connection:
            tenant = await accounts.find_tenant(connection, TENANT_NAME)
            if tenant is None:
                tenant = await accounts.create_tenant(connection, TENANT_NAME)
            new = NewKey("tenant", TenantId(tenant.tenant_id), name="mnema up")
            _, api_key = await accounts.create_key(connection, new)
            _, admin_key = await accounts.create_key(connection, NewKey("admin", name="mnema up"))
    made = Credentials(known.internal_key, str(tenant.tenant_id), api_key, admin_key)
    made.save(home)
    return made


async def _works(database: Database, api_key: str) -> bool:
    hashed = hash_key(api_key)
    async with database.transaction(Scope(key_hash=hashed), readonly=True) as connection:
        row = await connection.fetchrow(accounts.SQL["find_key"], hashed)
    return row is not None and not row["revoked"] and not row["expired"]


def _path(home: Path) -> Path:
    return home / "credentials.json"
