"""Where the bytes of a file lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.contract.user import User


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The bytes of one file in the object storage.

    The key is made of ids alone: a name chosen by a stranger never becomes a path.
    """

    owner: User
    file_id: UUID
    key: str

    @classmethod
    def new(cls, owner: User, file_id: UUID) -> "StoredObject":
        """Where the bytes of a new file go."""
        return cls(owner, file_id, f"{owner.tenant_id}/{owner.owner_id}/{file_id}")

    @classmethod
    def of(cls, payload: Mapping[str, str]) -> "StoredObject":
        """The object of a job; KeyError or ValueError if its payload names none."""
        return cls(User.of_job(payload), UUID(payload["file_id"]), payload["object_key"])

    def payload(self) -> dict[str, str]:
        """The object as a job carries it."""
        return {
            **self.owner.payload(),
            "file_id": str(self.file_id),
            "object_key": self.key,
        }
