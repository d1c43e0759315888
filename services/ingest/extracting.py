"""The EXTRACT job: from messages to memories, graph and profile, once."""

import asyncio
import time
from collections.abc import Mapping

import structlog

from services.ingest.claiming import Claim, claim
from services.ingest.embedder import Embedder
from services.ingest.extraction.model import ConversationBatch, Extraction, Extractor
from services.ingest.findings import batch_of, findings_of, with_vectors
from services.ingest.ingest_metrics import ExtractionMetrics
from services.ingest.intake import queue_embedding
from services.ingest.job_payloads import ExtractJob
from services.ingest.precedence import Precedence
from services.ingest.reflection import queue_if_due
from services.providers.llm.base import MalformedAnswer
from services.runtime import context
from services.runtime.backoff import delay_of
from services.runtime.config import ExtractionSettings, OptionSettings
from services.runtime.database import Connection, Database
from services.runtime.errors import DeadlineExceeded, MnemaError, Unavailable
from services.storage import extractions, jobs, messages
from services.storage.extraction_commit import Findings, commit_findings
from services.storage.extractions import Failure, Noted

log = structlog.get_logger("mnema.extraction")

_ERROR_CHARACTERS = 1_000
# A finished extraction is worth waiting for a database that restarts: it may have cost money.
_COMMIT_TRIES = 8


class ExtractionJobs:
    """Runs EXTRACT jobs. Failures of extractors are recorded; only the database's are raised."""

    def __init__(
        self,
        database: Database,
        extractor: Extractor,
        embedder: Embedder,
        settings: ExtractionSettings,
        server: OptionSettings,
        metrics: ExtractionMetrics,
        precedence: Precedence,
    ) -> None:
        self._database = database
        self._extractor = extractor
        self._embedder = embedder
        self._settings = settings
        self._server = server
        self._metrics = metrics
        self._precedence = precedence

    async def run(self, payload: Mapping[str, str]) -> None:
        """One attempt at one extraction. A second run of the same job changes nothing."""
        job = ExtractJob.of(payload)
        name = self._extractor.name.removeprefix("llm:")

        async def begin(connection: Connection) -> Claim | None:
            return await claim(connection, job, self._settings, self._server, name)

        claimed = await self._database.run(job.user.scope, begin)
        if claimed is None:
            return
        await self._precedence.turn()
        began = time.monotonic()
        try:
            findings = await self._find(claimed)
        except MnemaError as error:
            reason = _reason(error)
            failure = Failure(error.message[:_ERROR_CHARACTERS], reason, name)
            await self._failed(claimed, failure, error.retry_after)
        except Exception as error:
            # A bug must neither lose the messages nor come back in a hot loop.
            log.exception("an extraction failed unexpectedly", **_names(job))
            text = f"an internal error ({type(error).__name__}); the worker's log has the details"
            await self._failed(claimed, Failure(text, "INTERNAL", name), None)
        else:
            await self._commit(claimed, findings, time.monotonic() - began)

    async def _find(self, claimed: Claim) -> Findings:
        """Asks the extractor, then for vectors; findings without vectors are better than none."""
        job = claimed.job
        batch = batch_of(
            job.user.user_id,
            job.session_id,
            claimed.messages,
            triples=claimed.options.graph_enabled,
        )
        began = time.monotonic()
        try:
            with context.act_for(job.user.tenant_id, job.user.user_id):
                async with asyncio.timeout(self._settings.timeout_seconds):
                    found = await self._extracted(batch)
        except TimeoutError as error:
            limit = self._settings.timeout_seconds
            raise DeadlineExceeded(
                f"the extractor took longer than {limit:g} seconds",
                metadata={"timeout_seconds": f"{limit:g}"},
            ) from error
        findings = findings_of(
            found,
            batch,
            job.extraction_id,
            extractor=self._extractor.name,
            duration_ms=round((time.monotonic() - began) * 1000),
            space=claimed.space,
        )
        return await self._embedded(claimed, findings)

    async def _extracted(self, batch: ConversationBatch) -> Extraction:
        return await self._extractor.extract(batch) if batch.messages else Extraction()

    async def _embedded(self, claimed: Claim, findings: Findings) -> Findings:
        """The findings with vectors, or without if there are none to be had now."""
        texts = [memory.content for memory in findings.memories]
        if not texts:
            return findings
        try:
            vectors = await self._embedder.embed(claimed.job.user, texts, claimed.space)
        except MnemaError as error:
            log.warning(
                "no embeddings for now",
                reason=error.reason,
                error=error.message,
                **_names(claimed.job),
            )
            return findings
        return with_vectors(findings, vectors)

    async def _commit(self, claimed: Claim, findings: Findings, seconds: float) -> None:
        user, extraction_id = claimed.job.user, claimed.job.extraction_id
        missing = any(memory.awaits_vectors for memory in findings.memories)

        async def write(connection: Connection) -> bool:
            written = await commit_findings(connection, user.owner_id, extraction_id, findings)
            if written:
                await queue_if_due(connection, user, extraction_id, self._settings, self._server)
            if written and missing:
                await queue_embedding(connection, user)
            return written

        for attempt in range(1, _COMMIT_TRIES + 1):
            try:
                written = await self._database.run(user.scope, write)
                break
            except Unavailable:
                if attempt == _COMMIT_TRIES:
                    raise
                await asyncio.sleep(delay_of(attempt, 0.1))
        if written:
            found = {
                "memory": len(findings.memories),
                "triple": len(findings.statements),
                "profile": len(findings.profile),
            }
            self._metrics.done(seconds, found)
            log.info("extracted", seconds=round(seconds, 3), **found, **_names(claimed.job))

    async def _failed(self, claimed: Claim, failure: Failure, retry_after: float | None) -> None:
        """Records the failure and queues the next attempt, or gives up, in one transaction."""
        job = claimed.job

        async def note(connection: Connection) -> Noted | None:
            noted = await extractions.note_failure(
                connection,
                job.user.owner_id,
                job.extraction_id,
                failure,
                begun_with=claimed.attempts,
            )
            if noted is None:
                return None
            if noted.failed:
                await messages.set_extraction_state(
                    connection, job.user.owner_id, [job.extraction_id], "failed"
                )
            else:
                delay = delay_of(noted.attempts, self._settings.backoff_seconds, retry_after)
                await jobs.enqueue(connection, jobs.EXTRACT, job.payload(), delay_seconds=delay)
            return noted

        noted = await self._database.run(job.user.scope, note)
        if noted is not None:
            self._metrics.failed(for_good=noted.failed)
            log.warning(
                "an extraction failed",
                attempts=noted.attempts,
                for_good=noted.failed,
                reason=failure.error_reason,
                **_names(job),
            )


def _reason(error: MnemaError) -> str:
    """The reason to show: an LLM's failures are the provider's, not ours."""
    if isinstance(error, MalformedAnswer):
        return "PROVIDER_ANSWER_MALFORMED"
    if isinstance(error, Unavailable) and error.reason == Unavailable.default_reason:
        return "PROVIDER_UNAVAILABLE"
    return error.reason


def _names(job: ExtractJob) -> dict[str, str]:
    return {"extraction_id": str(job.extraction_id), "tenant_id": str(job.user.tenant_id)}
