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
DELETE_OBJECT = "delete_object"
SWEEP_OBJECT = "sweep_object"

# Higher runs first: what a person waits for before what can wait.
PRIORITY = {EXTRACT: 10, EMBED: 20, DELETE_OBJECT: 0, SWEEP_OBJECT: 0}


async def enqueue(
    connection: Connection,
    entrypoint: str,
    payload: Mapping[str, str],
    *,
    delay_seconds: float = 0.0,
) -> None:
    """Adds a job that exists exactly if the surrounding transaction commits.

    `payload` holds ids alone, never text of a user; the job starts after `delay_seconds`.
    """
    await connection.execute(SQL["admit_to_queue"])
    # A pool's proxy does all that the driver asks of a connection.
    driver = AsyncpgDriver(connection)  # type: ignore[arg-type]
    await Queries(driver).enqueue(
        entrypoint,
        json.dumps(dict(payload)).encode(),
        priority=PRIORITY[entrypoint],
        execute_after=timedelta(seconds=delay_seconds),
    )
