"""What one transaction may see: the values row-level security compares with."""

from dataclasses import dataclass

from services.runtime.ids import OwnerId, TenantId


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenant and owner of a transaction, and the three doors past them.

    A transaction sees only rows that its scope names; what is left out is set to the empty
    string, which no row matches. `admin` opens the tables of tenants and keys, `queue` the
    job queue (which spans tenants), and `key_hash` (hex SHA-256) the one API key that has it.
    """

    tenant_id: TenantId | None = None
    owner_id: OwnerId | None = None
    admin: bool = False
    queue: bool = False
    key_hash: str | None = None

    def values(self) -> tuple[str, str, str, str, str]:
        """The values of mnema.tenant, .owner, .admin, .queue and .key_hash, in this order."""
        return (
            str(self.tenant_id) if self.tenant_id else "",
            str(self.owner_id) if self.owner_id else "",
            "on" if self.admin else "",
            "on" if self.queue else "",
            self.key_hash or "",
        )
