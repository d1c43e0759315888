"""What extraction jobs carry through the queue: ids, never texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.contract.user import User


@dataclass(frozen=True, slots=True)
class ExtractJob:
    """Makes one extraction of a session's pending messages."""

    user: User
    session_id: str
    extraction_id: UUID

    def payload(self) -> dict[str, str]:
        """The job's payload in the queue."""
        return {
            **self.user.payload(),
            "session_id": self.session_id,
            "extraction_id": str(self.extraction_id),
        }

    @classmethod
    def of(cls, payload: Mapping[str, str]) -> "ExtractJob":
        """The job of a payload; ValueError if it is none."""
        user = User.of_job(payload)
        try:
            return cls(user, payload["session_id"], UUID(payload["extraction_id"]))
        except KeyError as missing:
            raise ValueError(f"the job's payload lacks {missing}") from None
