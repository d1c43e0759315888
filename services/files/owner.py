"""Whose file it is, by all of their names, and where the bytes of a file lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.runtime import context
from services.runtime.ids import OwnerId, TenantId
from services.runtime.scope import Scope


@dataclass(frozen=True, slots=True)
class Owner:
    """A user of a tenant."""

    tenant_id: TenantId
    owner_id: OwnerId
    user_id: str

    @classmethod
    def served(cls, user_id: str) -> "Owner":
        """The user whom the current request is about; PermissionDenied if it may not be."""
        scope = context.user_scope(user_id)
        if scope.tenant_id is None or scope.owner_id is None:
            raise AssertionError("a user's scope names tenant and owner")
        return cls(scope.tenant_id, scope.owner_id, user_id)

    @classmethod
    def of(cls, payload: Mapping[str, str]) -> "Owner":
        """The user whom a job is about; KeyError or ValueError if its payload names none."""
        return cls(
            TenantId(UUID(payload["tenant_id"])),
            OwnerId(UUID(payload["owner_id"])),
            payload["user_id"],
        )

    @property
    def scope(self) -> Scope:
        """What a transaction on the user's behalf may see."""
        return Scope(self.tenant_id, self.owner_id)

    def payload(self) -> dict[str, str]:
        """The user as a job carries it."""
        return {
            "tenant_id": str(self.tenant_id),
            "owner_id": str(self.owner_id),
            "user_id": self.user_id,
        }


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The bytes of one file in the object storage.

    The key is made of ids alone: a name chosen by a stranger never becomes a path.
    """

    owner: Owner
    file_id: UUID
    key: str

    @classmethod
    def new(cls, owner: Owner, file_id: UUID) -> "StoredObject":
        """Where the bytes of a new file go."""
        return cls(owner, file_id, f"{owner.tenant_id}/{owner.owner_id}/{file_id}")

    @classmethod
    def of(cls, payload: Mapping[str, str]) -> "StoredObject":
        """The object of a job; KeyError or ValueError if its payload names none."""
        return cls(Owner.of(payload), UUID(payload["file_id"]), payload["object_key"])

    def payload(self) -> dict[str, str]:
        """The object as a job carries it."""
        return {
            **self.owner.payload(),
            "file_id": str(self.file_id),
            "object_key": self.key,
        }
