"""What must not happen twice at once for one user happens one after the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.runtime.ids import OwnerId


class OneAtATime:
    """A turn for each user. Of one process and one event loop; nothing is kept of who is done."""

    def __init__(self) -> None:
        self._locks: dict[OwnerId, asyncio.Lock] = {}
        self._wanted: dict[OwnerId, int] = {}

    @asynccontextmanager
    async def of(self, owner_id: OwnerId) -> AsyncIterator[None]:
        """In the block nobody else has the user's turn; those who wait get it as they came."""
        lock = self._locks.setdefault(owner_id, asyncio.Lock())
        self._wanted[owner_id] = self._wanted.get(owner_id, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._wanted[owner_id] -= 1
            if not self._wanted[owner_id]:
                del self._wanted[owner_id], self._locks[owner_id]
