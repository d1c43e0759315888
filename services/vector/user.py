"""Whose memory a call is about."""

from dataclasses import dataclass

from services.runtime import context
from services.runtime.ids import OwnerId, TenantId, owner_of
from services.runtime.scope import Scope


@dataclass(frozen=True, slots=True)
class User:
    """A user of a tenant, by all of their names."""

    tenant_id: TenantId
    user_id: str

    @classmethod
    def served(cls, user_id: str) -> "User":
        """The user whom the current request is about; PermissionDenied if it may not be."""
        tenant_id = context.user_scope(user_id).tenant_id
        if tenant_id is None:
            raise AssertionError("a user's scope names the tenant")
        return cls(tenant_id, user_id)

    @property
    def owner_id(self) -> OwnerId:
        """The key of all that is the user's."""
        return owner_of(self.tenant_id, self.user_id)

    @property
    def scope(self) -> Scope:
        """What a transaction on the user's behalf may see."""
        return Scope(self.tenant_id, self.owner_id)

    @property
    def embed_job(self) -> dict[str, str]:
        """The payload of a job that embeds all of the user's that has no vector."""
        return {
            "tenant_id": str(self.tenant_id),
            "owner_id": str(self.owner_id),
            "user_id": self.user_id,
        }
