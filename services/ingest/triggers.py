"""What makes pending messages be extracted: their number, silence, a closed session, a call."""

from collections.abc import Iterable, Sequence
from functools import partial

from services.contract.user import User
from services.ingest.job_payloads import ExtractJob, Trigger
from services.runtime.config import OptionSettings
from services.runtime.database import Connection, Database
from services.runtime.ids import new_id
from services.storage import jobs, messages, sessions
from services.storage.sessions import LockedSession, Reserved

# So many sessions are locked in one transaction.
_SESSIONS_AT_ONCE = 200


async def queue_due(
    connection: Connection,
    user: User,
    reserved: Iterable[Reserved],
    options: OptionSettings,
    delay_seconds: float,
) -> None:
    """Queues what new messages in these sessions, which are locked, make necessary."""
    if not options.auto_extract:
        return
    waiting = [each for each in reserved if not each.extraction_queued]
    due = await _with_enough(connection, user, [each.session_id for each in waiting], options)
    await queue_extractions(connection, user, due, delay_seconds)
    if options.idle_timeout_seconds:
        rest = [each for each in waiting if each.session_id not in due and not each.idle_queued]
        names = [each.session_id for each in rest]
        await _queue_for_silence(connection, user, names, options.idle_timeout_seconds)


async def queue_extractions(
    connection: Connection,
    user: User,
    session_ids: Sequence[str],
    delay_seconds: float,
    trigger: Trigger = "auto",
) -> None:
    """Queues one job for each of these sessions, which this transaction has locked."""
    if not session_ids:
        return
    await sessions.mark_queued(connection, user.owner_id, session_ids, queued=True)
    for session_id in session_ids:
        job = ExtractJob(user, session_id, new_id(), trigger)
        await jobs.enqueue(connection, jobs.EXTRACT, job.payload(), delay_seconds=delay_seconds)


async def queue_closed(
    connection: Connection, user: User, session_id: str, options: OptionSettings
) -> None:
    """Has what a session holds, which is locked and being closed, extracted now."""
    if not (options.auto_extract and options.on_session_close):
        return
    if await messages.pending_of(connection, user.owner_id, session_id, 1):
        # A job that waits for a burst or for silence to end finds nothing left, and ends.
        await queue_extractions(connection, user, [session_id], 0.0)


async def may_begin(
    connection: Connection, job: ExtractJob, session: LockedSession, options: OptionSettings
) -> bool:
    """Whether the job is to take up the pending messages of its session, which is locked.

    Not one that is queued by itself and no longer wanted; nor one that waits for silence
    while there is none: that puts itself off.
    """
    owner_id, names = job.user.owner_id, [job.session_id]
    if job.trigger == "manual":
        return True
    if job.trigger == "auto":
        if not options.auto_extract:
            await sessions.mark_queued(connection, owner_id, names, queued=False)
        return options.auto_extract
    wanted = options.auto_extract and options.idle_timeout_seconds > 0
    left = options.idle_timeout_seconds - session.silent_seconds
    if wanted and left > 0 and await messages.pending_of(connection, owner_id, job.session_id, 1):
        await jobs.enqueue(connection, jobs.EXTRACT, job.payload(), delay_seconds=left)
        return False
    await sessions.mark_idle(connection, owner_id, names, queued=False)
    return wanted


async def start_all(database: Database, user: User, session_id: str) -> list[str]:
    """Queues the extraction of all that is pending, of one session or (empty) of any.

    Returns the sessions that have pending messages.
    """
    started: list[str] = []
    while True:
        after = started[-1] if started else ""
        newly = await database.run(user.scope, partial(_start_some, user, session_id, after))
        started += newly
        if len(newly) < _SESSIONS_AT_ONCE:
            return started


async def _start_some(user: User, session_id: str, after: str, connection: Connection) -> list[str]:
    found = await sessions.lock_pending(
        connection, user.owner_id, session_id, after, _SESSIONS_AT_ONCE
    )
    await queue_extractions(connection, user, found, 0.0, "manual")
    return found


async def _with_enough(
    connection: Connection, user: User, session_ids: Sequence[str], options: OptionSettings
) -> list[str]:
    """Those of the sessions that have as many pending messages as an extraction asks for."""
    interval = options.message_interval
    if interval <= 1 or not session_ids:
        return list(session_ids) if interval else []
    return await messages.sessions_with_pending(connection, user.owner_id, session_ids, interval)


async def _queue_for_silence(
    connection: Connection, user: User, session_ids: Sequence[str], seconds: float
) -> None:
    if not session_ids:
        return
    await sessions.mark_idle(connection, user.owner_id, session_ids, queued=True)
    for session_id in session_ids:
        job = ExtractJob(user, session_id, new_id(), "idle")
        await jobs.enqueue(connection, jobs.EXTRACT, job.payload(), delay_seconds=seconds)
