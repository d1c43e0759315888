"""Enqueuing jobs inside the transaction that makes them necessary."""

import json
from collections.abc import Mapping
from datetime import timedelta

from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

from services.runtime.database import Connection
from services.storage.queries import load

SQL = load("jobs")
# What the worker knows how to do: the names of the queue's entrypoints.
EXTRACT = "extract"
EMBED = "embed"
DIGEST = "digest"
DELETE_OBJECT = "delete_object"
SWEEP_OBJECT = "sweep_object"
ERASE_OBJECTS = "erase_objects"

# Higher runs first: what a person waits for before what can wait.
PRIORITY = {
    EXTRACT: 10,
    EMBED: 20,
    DIGEST: 5,
    DELETE_OBJECT: 0,
    SWEEP_OBJECT: 0,
    ERASE_OBJECTS: 0,
}


async def enqueue(
    connection: Connection,
    entrypoint: str,
    payload: Mapping[str, str],
    *,
    delay_seconds: float = 0.0,
) -> None:
    """Adds a job that exists exactly if the surrounding transaction commits.

    `payload` holds ids alone, never text of a user; the job starts after `delay_seconds`.
    An EMBED job of the same owner that has not begun yet does this one's work as well: then
    none is added. Enqueue it last, in a READ COMMITTED transaction: others who enqueue one
    for the owner may wait for the end of this one.
    """
    key = _shared_key(payload) if entrypoint == EMBED else None
    if key is None:
        await connection.execute(SQL["admit_to_queue"])
    else:
        await connection.execute(SQL["admit_to_share"], key)
        # Adding nothing would wake the workers all the same.
        if await connection.fetchval(SQL["is_waiting"], key):
            return
    # A pool's proxy does all that the driver asks of a connection.
    driver = AsyncpgDriver(connection)  # type: ignore[arg-type]
    await Queries(driver).enqueue(
        entrypoint,
        json.dumps(dict(payload)).encode(),
        priority=PRIORITY[entrypoint],
        execute_after=timedelta(seconds=delay_seconds),
        dedupe_key=key,
        on_conflict="skip",
    )


async def begin_embedding(connection: Connection, payload: Mapping[str, str]) -> None:
    """Says that the EMBED job of this payload begins, in a transaction of its own.

    What is enqueued from now on is another job. Once this has committed, everything that
    counted on this job while it waited is committed too, and so can be seen.
    """
    key = _shared_key(payload)
    await connection.execute(SQL["admit_to_queue"])
    await connection.execute(SQL["await_sharers"], key)
    await connection.execute(SQL["reopen"], key)


def _shared_key(payload: Mapping[str, str]) -> str:
    return f"{EMBED}:{payload['owner_id']}"
