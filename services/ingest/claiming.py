"""Taking up a session's pending messages as one extraction."""

from dataclasses import dataclass

from services.ingest.job_payloads import ExtractJob, Trigger
from services.ingest.triggers import may_begin, queue_extractions
from services.runtime.config import ExtractionSettings, OptionSettings
from services.runtime.database import Connection
from services.storage import extractions, messages, sessions
from services.storage.foundation import EmbeddingSpace, active_space
from services.storage.messages import MessageRow
from services.storage.options import read_options


@dataclass(frozen=True, slots=True)
class Claim:
    """What one attempt works on: the messages, and how many attempts there were before."""

    job: ExtractJob
    messages: list[MessageRow]
    attempts: int
    space: EmbeddingSpace
    options: OptionSettings


async def claim(
    connection: Connection,
    job: ExtractJob,
    settings: ExtractionSettings,
    server: OptionSettings,
    extractor: str,
) -> Claim | None:
    """The job's messages: those it has already, or else the session's oldest pending ones.

    What is pending beyond one batch gets a job of its own. None: there is nothing to do (yet),
    or it has been done. Belongs inside one transaction. `server` holds where neither the
    tenant nor the user has chosen.
    """
    owner_id = job.user.owner_id
    session = await sessions.lock_session(connection, owner_id, job.session_id)
    if session is None:
        return None
    chosen = await read_options(connection, job.user.tenant_id, owner_id)
    options = chosen.over(server)
    known = await extractions.get_extraction(connection, owner_id, job.extraction_id)
    if known is None:
        if not await may_begin(connection, job, session, options):
            return None
        if not await _begin(connection, job, settings, extractor):
            return None
    if known is not None and known.state != "running":
        return None
    return Claim(
        job,
        await messages.messages_of(connection, owner_id, job.extraction_id),
        known.attempts if known else 0,
        await active_space(connection),
        options,
    )


async def _begin(
    connection: Connection, job: ExtractJob, settings: ExtractionSettings, extractor: str
) -> bool:
    """Makes pending messages the job's; False if there are none."""
    owner_id = job.user.owner_id
    most = settings.max_batch_messages
    pending = await messages.pending_of(connection, owner_id, job.session_id, most + 1)
    taken, characters = 0, 0
    for _, length in pending[:most]:
        characters += length
        if taken and characters > settings.max_batch_characters:
            break
        taken += 1
    if taken == len(pending):
        await sessions.mark_queued(connection, owner_id, [job.session_id], queued=False)
    else:
        trigger: Trigger = "manual" if job.trigger == "manual" else "auto"
        await queue_extractions(connection, job.user, [job.session_id], 0.0, trigger)
    if not taken:
        return False
    await extractions.insert_extraction(
        connection,
        owner_id,
        job.extraction_id,
        session_id=job.session_id,
        max_attempts=settings.max_attempts,
        messages=taken,
        extractor=extractor,
    )
    chosen = [message_id for message_id, _ in pending[:taken]]
    await messages.assign_extraction(connection, owner_id, chosen, job.extraction_id)
    return True
