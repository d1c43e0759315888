"""Erasing a user, and the receipt that says so."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.runtime.database import Connection
from services.runtime.errors import NotFound
from services.runtime.ids import OwnerId, TenantId, new_id
from services.storage import jobs
from services.storage.announcements import EMBEDDING_CACHE, announce
from services.storage.owner_tables import act_for, close_to_writers, erase_rows, list_owner_tables
from services.storage.queries import load

SQL = load("deletions")
RECEIPTS_KEPT = timedelta(days=30)
API_KEYS = "api_keys"
_VECTORS = "vectors_"


@dataclass(frozen=True, slots=True)
class DeletionRow:
    """A receipt. `counts` are rows by table; `finished_at` is None while bytes are left."""

    deletion_id: UUID
    counts: Mapping[str, int]
    objects_pending: int
    objects_deleted: int
    recorded_at: datetime
    finished_at: datetime | None
    expires_at: datetime


async def erase_user(
    connection: Connection, tenant_id: TenantId, owner_id: OwnerId, user_id: str
) -> DeletionRow:
    """Erases every row of the user and every job; leaves a receipt, and a job for the bytes.

    Belongs into a READ COMMITTED transaction of the tenant as such. It waits for the user's
    writers, so that what they wrote is erased too, and whoever comes later finds nothing.
    """
    await close_to_writers(connection, owner_id)
    await connection.execute(SQL["purge_deletions"], tenant_id, RECEIPTS_KEPT)
    keys = await connection.fetchval(SQL["delete_api_keys"], tenant_id, user_id)
    await act_for(connection, owner_id)
    objects = await _take_objects(connection, owner_id)
    counts = await erase_rows(connection, owner_id, await list_owner_tables(connection))
    await act_for(connection, None)
    deletion_id = new_id()
    await connection.execute(
        SQL["insert_deletion"],
        tenant_id,
        deletion_id,
        _hash(owner_id),
        _named(counts | ({API_KEYS: keys} if keys else {})),
        not objects,
    )
    if objects:
        await connection.execute(
            SQL["insert_objects"], tenant_id, deletion_id, list(objects), list(objects.values())
        )
        await queue_objects(connection, tenant_id, deletion_id, 0.0)
    # Vectors of the user's texts that processes keep in memory: they keep no record of whose.
    await announce(connection, EMBEDDING_CACHE)
    return await get_deletion(connection, tenant_id, owner_id, deletion_id)


async def get_deletion(
    connection: Connection, tenant_id: TenantId, owner_id: OwnerId, deletion_id: UUID
) -> DeletionRow:
    """The receipt; NotFound if the user has none of that id, or its time is over."""
    row = await connection.fetchrow(
        SQL["get_deletion"], tenant_id, deletion_id, _hash(owner_id), RECEIPTS_KEPT
    )
    if row is None:
        raise NotFound("deletion", str(deletion_id))
    return DeletionRow(**dict(row))


async def due_objects(
    connection: Connection, tenant_id: TenantId, deletion_id: UUID, limit: int
) -> list[str]:
    """Keys of bytes that can be deleted now, at most `limit`."""
    rows = await connection.fetch(SQL["due_objects"], tenant_id, deletion_id, limit)
    return [row["object_key"] for row in rows]


async def object_is_needed(connection: Connection, owner_id: OwnerId, object_key: str) -> bool:
    """Whether a file has these bytes after all: an upload that ended after the deletion."""
    needed: bool = await connection.fetchval(SQL["object_is_needed"], owner_id, object_key)
    return needed


async def note_deleted(
    connection: Connection, tenant_id: TenantId, deletion_id: UUID, keys: Sequence[str]
) -> None:
    """Notes that these bytes are gone."""
    await connection.execute(SQL["note_deleted"], tenant_id, deletion_id, list(keys))


async def finish_or_wait(connection: Connection, tenant_id: TenantId, deletion_id: UUID) -> None:
    """Closes the receipt if nothing is left, or else queues the job again for when it is due."""
    seconds = await connection.fetchval(SQL["next_due"], tenant_id, deletion_id)
    if seconds is None:
        await connection.execute(SQL["finish"], tenant_id, deletion_id)
    else:
        await queue_objects(connection, tenant_id, deletion_id, seconds)


async def queue_objects(
    connection: Connection, tenant_id: TenantId, deletion_id: UUID, delay_seconds: float
) -> None:
    """Queues the job that deletes the bytes; its payload does not name the user."""
    payload = {"tenant_id": str(tenant_id), "deletion_id": str(deletion_id)}
    await jobs.enqueue(connection, jobs.ERASE_OBJECTS, payload, delay_seconds=delay_seconds)


async def _take_objects(connection: Connection, owner_id: OwnerId) -> dict[str, datetime]:
    """The keys of the user's bytes, and from when on they can be deleted.

    Those of an upload under way may become a file's that is stored after the deletion: they
    wait as long as the job would have that the upload has queued for them.
    """
    await connection.execute(jobs.SQL["admit_to_queue"])
    waiting = await connection.fetch(SQL["take_jobs"], str(owner_id))
    files = await connection.fetch(SQL["list_object_keys"], owner_id)
    objects = {row["object_key"]: row["execute_after"] for row in waiting if row["object_key"]}
    return objects | {row["object_key"]: row["due_at"] for row in files}


def _named(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts by table; embeddings of all models are one."""
    named: dict[str, int] = {}
    for table, count in sorted(counts.items()):
        name = "embeddings" if table.startswith(_VECTORS) else table
        named[name] = named.get(name, 0) + count
    return named


def _hash(owner_id: OwnerId) -> bytes:
    return hashlib.sha256(owner_id.bytes).digest()
