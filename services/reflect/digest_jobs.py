"""The DIGEST job: a digest that nobody waits for, tried again while its LLM fails."""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from services.contract.digest_job import DigestJob
from services.reflect.digest import Digester, Thought
from services.runtime import context
from services.runtime.backoff import delay_of
from services.runtime.config import ExtractionSettings
from services.runtime.database import Connection, Database
from services.runtime.errors import MnemaError
from services.storage import digest_runs, foundation, jobs
from services.storage.digest_runs import BegunDigest

log = structlog.get_logger("mnema.reflect")

_ERROR_CHARACTERS = 1_000
# Two digests of one user would think over the same memories: the second one waits.
_TURN_SECONDS = 1.0


class DigestJobs:
    """Runs DIGEST jobs. Failures of thinkers are recorded; only the database's are raised."""

    def __init__(
        self, database: Database, digester: Digester, settings: ExtractionSettings
    ) -> None:
        self._database = database
        self._digester = digester
        self._settings = settings

    def handlers(self) -> dict[str, Callable[[Mapping[str, str]], Awaitable[None]]]:
        """What the worker calls, by entrypoint."""
        return {jobs.DIGEST: self.run}

    async def run(self, payload: Mapping[str, str]) -> None:
        """One attempt at one digest. A second run of the same job changes nothing."""
        job = DigestJob.of(payload)
        begun = await self._database.run(job.user.scope, lambda each: _begin(each, job))
        if begun is None:
            return
        with context.act_for(job.user.tenant_id, job.user.user_id):
            material = await self._digester.read(job.user, begun.batch_size)
            try:
                thought = await self._digester.think(material)
            except MnemaError as error:
                message = error.message[:_ERROR_CHARACTERS]
                await self._failed(job, begun, message, error.reason, error.retry_after)
            except Exception as error:
                # A bug must not come back in a hot loop.
                log.exception("a digest failed unexpectedly", **_names(job))
                text = f"an internal error ({type(error).__name__}); the worker's log tells more"
                await self._failed(job, begun, text, "INTERNAL", None)
            else:
                await self._store(job, begun, thought, material.messages)

    async def _store(
        self, job: DigestJob, begun: BegunDigest, thought: Thought, messages: int
    ) -> None:
        async def write(connection: Connection) -> int | None:
            digested = await self._digester.store(connection, job.user, job.digest_id, thought)
            if digested is None:
                return None
            if begun.trigger == "call":  # an interval's were taken off when it was queued
                await digest_runs.uncount_messages(connection, job.user.owner_id, messages)
            return len(digested.insights)

        insights = await self._database.run(job.user.scope, write)
        if insights is not None:
            log.info("digested", memories=len(thought.memories), insights=insights, **_names(job))

    async def _failed(
        self,
        job: DigestJob,
        begun: BegunDigest,
        error: str,
        reason: str,
        retry_after: float | None,
    ) -> None:
        """Records the failure and queues the next attempt, or gives up, in one transaction."""
        owner_id = job.user.owner_id

        async def note(connection: Connection) -> digest_runs.NotedFailure | None:
            await foundation.lock_owner(connection, owner_id)
            noted = await digest_runs.note_failure(
                connection, owner_id, job.digest_id, error, reason, begun_with=begun.attempts
            )
            if noted is not None and not noted.failed:
                delay = delay_of(noted.attempts, self._settings.backoff_seconds, retry_after)
                await jobs.enqueue(connection, jobs.DIGEST, job.payload(), delay_seconds=delay)
            return noted

        noted = await self._database.run(job.user.scope, note)
        if noted is not None:
            log.warning(
                "a digest failed",
                attempts=noted.attempts,
                for_good=noted.failed,
                reason=reason,
                **_names(job),
            )


async def _begin(connection: Connection, job: DigestJob) -> BegunDigest | None:
    """Makes the digest running; None: it has ended, or another one of the user's goes first."""
    owner_id = job.user.owner_id
    await foundation.lock_owner(connection, owner_id)
    if await digest_runs.another_runs(connection, owner_id, job.digest_id):
        await jobs.enqueue(connection, jobs.DIGEST, job.payload(), delay_seconds=_TURN_SECONDS)
        return None
    return await digest_runs.begin_digest(connection, owner_id, job.digest_id)


def _names(job: DigestJob) -> dict[str, str]:
    return {"digest_id": str(job.digest_id), "tenant_id": str(job.user.tenant_id)}
