"""Housekeeping of the job queue's tables, by the worker that has the queue's connection."""

from datetime import timedelta

from pgqueuer.queries import Queries

from services.storage.queries import load

SQL = load("queue")
LOG_KEPT = timedelta(days=7)
STATISTICS_KEPT = timedelta(days=90)
_HELD_AT_ONCE = 100


async def free_held(queue: Queries) -> int:
    """Puts jobs back that are held because their failure could not be dealt with; how many."""
    held = await queue.list_failed_jobs(_HELD_AT_ONCE)
    if held:
        # Another job may have come to stand for what waits: a key belongs to one job only.
        await queue.driver.execute(SQL["free_keys"])
        await queue.requeue_jobs([job.id for job in held])
    return len(held)


async def purge(queue: Queries) -> None:
    """Removes some of what the queue notes of jobs that ended long ago: it never does so itself."""
    await queue.driver.execute(SQL["purge_log"], LOG_KEPT)
    await queue.driver.execute(SQL["purge_statistics"], STATISTICS_KEPT)
