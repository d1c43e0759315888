"""The jobs that keep object storage and database in step: no bytes without a file."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from services.files.stored_object import StoredObject
from services.providers.objects.storage import ObjectStorage
from services.runtime.context import act_for
from services.runtime.database import Database
from services.storage import jobs
from services.storage.documents import refers_to_object

Handler: TypeAlias = Callable[[Mapping[str, str]], Awaitable[None]]

_MAX_SECONDS = 120.0


class ObjectJobs:
    """Runs DELETE_OBJECT and SWEEP_OBJECT. Raises what keeps them from ending: try again.

    Both bear being run any number of times.
    """

    def __init__(self, database: Database, objects: ObjectStorage) -> None:
        self._database = database
        self._objects = objects

    def handlers(self) -> dict[str, Handler]:
        """The handlers by entrypoint, for the worker."""
        return {jobs.DELETE_OBJECT: self.delete, jobs.SWEEP_OBJECT: self.sweep}

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
