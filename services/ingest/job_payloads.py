"""Whom ingest works for, and what its jobs carry through the queue: ids, never texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.runtime import context
from services.runtime.ids import OwnerId, TenantId
from services.runtime.scope import Scope


@dataclass(frozen=True, slots=True)
class User:
    """Whose memory it is, by all of their names."""

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

    @property
    def scope(self) -> Scope:
        """What a transaction on the user's behalf may see."""
        return Scope(self.tenant_id, self.owner_id)


@dataclass(frozen=True, slots=True)
class EmbedJob:
    """Gives a vector to everything of the user's that has none."""

    user: User

    def payload(self) -> dict[str, str]:
        """The job's payload in the queue."""
        return {
            "tenant_id": str(self.user.tenant_id),
            "owner_id": str(self.user.owner_id),
            "user_id": self.user.user_id,
        }

    @classmethod
    def of(cls, payload: Mapping[str, str]) -> "EmbedJob":
        """The job of a payload; ValueError if it is none."""
        try:
            tenant_id, owner_id = UUID(payload["tenant_id"]), UUID(payload["owner_id"])
            return cls(User(TenantId(tenant_id), OwnerId(owner_id), payload["user_id"]))
        except KeyError as missing:
            raise ValueError(f"the job's payload lacks {missing}") from None


@dataclass(frozen=True, slots=True)
class ExtractJob:
    """Makes one extraction of a session's pending messages."""

    user: User
    session_id: str
    extraction_id: UUID

    def payload(self) -> dict[str, str]:
        """The job's payload in the queue."""
        return {
            **EmbedJob(self.user).payload(),
            "session_id": self.session_id,
            "extraction_id": str(self.extraction_id),
        }

    @classmethod
    def of(cls, payload: Mapping[str, str]) -> "ExtractJob":
        """The job of a payload; ValueError if it is none."""
        user = EmbedJob.of(payload).user
        try:
            return cls(user, payload["session_id"], UUID(payload["extraction_id"]))
        except KeyError as missing:
            raise ValueError(f"the job's payload lacks {missing}") from None
