"""A digest that a worker is to make: reflect is asked for them, ingest finds when one is due."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.contract.user import User
from services.runtime.database import Connection
from services.runtime.ids import new_id
from services.storage import digest_runs, jobs
from services.storage.digest_runs import Trigger

DEFAULT_BATCH = 50
"""Memories that a digest reads at most."""


@dataclass(frozen=True, slots=True)
class DigestJob:
    """Makes one digest that was noted."""

    user: User
    digest_id: UUID

    def payload(self) -> dict[str, str]:
        """The job's payload in the queue."""
        return {**self.user.payload(), "digest_id": str(self.digest_id)}

    @classmethod
    def of(cls, payload: Mapping[str, str]) -> "DigestJob":
        """The job of a payload; ValueError if it is none."""
        user = User.of_job(payload)
        try:
            return cls(user, UUID(payload["digest_id"]))
        except KeyError as missing:
            raise ValueError(f"the job's payload lacks {missing}") from None


async def queue_digest(
    connection: Connection, user: User, trigger: Trigger, *, batch_size: int, max_attempts: int
) -> UUID:
    """Notes a digest and enqueues its job; its id. Belongs inside one transaction."""
    job = DigestJob(user, new_id())
    await digest_runs.queue_digest(
        connection,
        user.owner_id,
        job.digest_id,
        trigger,
        batch_size=batch_size,
        max_attempts=max_attempts,
    )
    await jobs.enqueue(connection, jobs.DIGEST, job.payload())
    return job.digest_id
