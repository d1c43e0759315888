"""What extraction jobs carry through the queue: ids, never texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args
from uuid import UUID

from services.contract.user import User

Trigger = Literal["auto", "idle", "manual"]
"""What an extraction was queued for: messages that came, their ceasing to come, a call."""


@dataclass(frozen=True, slots=True)
class ExtractJob:
    """Makes one extraction of a session's pending messages."""

    user: User
    session_id: str
    extraction_id: UUID
    trigger: Trigger = "auto"

    def payload(self) -> dict[str, str]:
        """The job's payload in the queue."""
        return {
            **self.user.payload(),
            "session_id": self.session_id,
            "extraction_id": str(self.extraction_id),
            "trigger": self.trigger,
        }

    @classmethod
    def of(cls, payload: Mapping[str, str]) -> "ExtractJob":
        """The job of a payload; ValueError if it is none."""
        user = User.of_job(payload)
        trigger = payload.get("trigger", "auto")  # of a version before: without
        if trigger not in get_args(Trigger):
            raise ValueError(f"the job's trigger {trigger!r} is none")
        try:
            return cls(
                user,
                payload["session_id"],
                UUID(payload["extraction_id"]),
                cast(Trigger, trigger),
            )
        except KeyError as missing:
            raise ValueError(f"the job's payload lacks {missing}") from None
