"""Where the bytes of a file lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.contract.user import User
from services.runtime.ids import OwnerId, new_id


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
    def imported(cls, owner: User, file_id: UUID) -> "StoredObject":
        """Where the bytes of a file go that keeps its id: never where they have been before.

        What was there may still be waiting to be deleted.
        """
        return cls(owner, file_id, f"{owner.tenant_id}/{owner.owner_id}/{new_id()}")

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


def owner_of_key(key: str) -> OwnerId:
    """Whose bytes these are; ValueError if it is no key of a user's."""
    return OwnerId(UUID(key.split("/")[1]))
