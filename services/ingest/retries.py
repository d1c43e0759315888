"""Attempts that failed for good, made again by somebody's wish."""

from collections.abc import Sequence
from uuid import UUID

from services.contract.user import User
from services.ingest.job_payloads import ExtractJob
from services.runtime.database import Connection, Database
from services.storage import jobs
from services.storage.extractions import restart_failed
from services.storage.messages import set_extraction_state

# So many extractions are started anew in one transaction.
_RESTARTED_AT_ONCE = 200


async def restart(
    database: Database, user: User, extraction_ids: Sequence[UUID], further_attempts: int
) -> list[UUID]:
    """Queues the user's failed extractions anew; those of `extraction_ids`, unless it is empty.

    Returns what was started. What is waiting, running or done is left alone.
    """
    started: list[UUID] = []
    while True:

        async def some(connection: Connection) -> list[UUID]:
            restarted = await restart_failed(
                connection,
                user.owner_id,
                further_attempts=further_attempts,
                extraction_ids=extraction_ids,
                limit=_RESTARTED_AT_ONCE,
            )
            await set_extraction_state(connection, user.owner_id, list(restarted), "running")
            for extraction_id, session_id in restarted.items():
                job = ExtractJob(user, session_id, extraction_id)
                await jobs.enqueue(connection, jobs.EXTRACT, job.payload())
            return list(restarted)

        newly = await database.run(user.scope, some)
        started += newly
        if len(newly) < _RESTARTED_AT_ONCE:
            return started
