"""The user whom a call or a job is about, by all of their names."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.runtime import context
from services.runtime.ids import OwnerId, TenantId
from services.runtime.scope import Scope


@dataclass(frozen=True, slots=True)
class User:
    """Whose memory it is."""

    tenant_id: TenantId
    owner_id: OwnerId
    user_id: str

    @classmethod
    def served(cls, user_id: str) -> "User":
        """The user whom the current request is about; PermissionDenied if it may not be."""
        scope = context.user_scope(user_id)
        if scope.tenant_id is None or scope.owner_id is None:
            raise AssertionError("a user's scope names tenant and owner")
        return cls(scope.tenant_id, scope.owner_id, user_id)

    @classmethod
    def of_job(cls, payload: Mapping[str, str]) -> "User":
        """The user whom a job's payload names; ValueError if it names none."""
        try:
            tenant_id, owner_id = UUID(payload["tenant_id"]), UUID(payload["owner_id"])
            return cls(TenantId(tenant_id), OwnerId(owner_id), payload["user_id"])
        except KeyError as missing:
            raise ValueError(f"the job's payload lacks {missing}") from None

    @property
    def scope(self) -> Scope:
        """What a transaction on the user's behalf may see."""
        return Scope(self.tenant_id, self.owner_id)

    def payload(self) -> dict[str, str]:
        """What a job's payload says of whom it is for."""
        return {
            "tenant_id": str(self.tenant_id),
            "owner_id": str(self.owner_id),
            "user_id": self.user_id,
        }
