"""The jobs that keep object storage and database in step: no bytes without a file."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias
from uuid import UUID

from services.contract.stored_object import StoredObject, owner_of_key
from services.providers.objects.storage import ObjectStorage
from services.runtime.context import act_for
from services.runtime.database import Connection, Database
from services.runtime.ids import TenantId
from services.runtime.scope import Scope
from services.storage import deletions, jobs
from services.storage.documents import refers_to_object

Handler: TypeAlias = Callable[[Mapping[str, str]], Awaitable[None]]

_MAX_SECONDS = 120.0
# Bytes of so many files of an erased user are deleted side by side, and then noted.
_ERASED_AT_ONCE = 16


class ObjectJobs:
    """Runs DELETE_OBJECT, SWEEP_OBJECT and ERASE_OBJECTS.

    They raise what keeps them from ending: try again. All bear being run any number of times.
    """

    def __init__(self, database: Database, objects: ObjectStorage) -> None:
        self._database = database
        self._objects = objects

    def handlers(self) -> dict[str, Handler]:
        """The handlers by entrypoint, for the worker."""
        return {
            jobs.DELETE_OBJECT: self.delete,
            jobs.SWEEP_OBJECT: self.sweep,
            jobs.ERASE_OBJECTS: self.erase,
        }

    async def delete(self, payload: Mapping[str, str]) -> None:
        """Deletes the bytes of a file that is gone, unless a file has them after all."""
        # Deleting asks the same question as sweeping: a job can never cost a file its bytes.
        await self.sweep(payload)

    async def sweep(self, payload: Mapping[str, str]) -> None:
        """Deletes bytes that were written for a file, if that file never came to be."""
        stored = StoredObject.of(payload)
        with act_for(stored.owner.tenant_id, stored.owner.user_id, timeout=_MAX_SECONDS):
            async with self._database.transaction(stored.owner.scope, readonly=True) as connection:
                needed = await refers_to_object(
                    connection, stored.owner.owner_id, stored.file_id, stored.key
                )
            if not needed:
                await self._objects.delete(stored.key)

    async def erase(self, payload: Mapping[str, str]) -> None:
        """Deletes the bytes of an erased user's files that are due; queues itself for the rest."""
        tenant_id, deletion_id = TenantId(UUID(payload["tenant_id"])), UUID(payload["deletion_id"])
        scope = Scope(tenant_id)
        while True:
            # A turn is bounded, not the job: what is noted is not done again.
            with act_for(tenant_id, timeout=_MAX_SECONDS):
                async with self._database.transaction(scope, readonly=True) as connection:
                    keys = await deletions.due_objects(
                        connection, tenant_id, deletion_id, _ERASED_AT_ONCE
                    )
                if not keys:
                    break
                await asyncio.gather(*(self._erase_object(tenant_id, key) for key in keys))
                async with self._database.transaction(scope) as connection:
                    await deletions.note_deleted(connection, tenant_id, deletion_id, keys)

        async def end(connection: Connection) -> None:
            await deletions.finish_or_wait(connection, tenant_id, deletion_id)

        await self._database.run(scope, end)

    async def _erase_object(self, tenant_id: TenantId, key: str) -> None:
        scope = Scope(tenant_id, owner_of_key(key))
        async with self._database.transaction(scope, readonly=True) as connection:
            needed = await deletions.object_is_needed(connection, owner_of_key(key), key)
        if not needed:
            await self._objects.delete(key)
