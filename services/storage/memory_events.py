"""What is told of memories that came to be or changed."""

from uuid import UUID

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage import events
from services.storage.events import Change, MemoryChanged, Payload


class MemoryEvents:
    """The events of one transaction's changes of memories, in their order."""

    def __init__(self) -> None:
        self.payloads: list[Payload] = []

    def stands(self, memory_id: UUID, change: Change, memory_type: str, revision: int = 1) -> None:
        """It came to be what it is in the present, or with "deleted" left it."""
        self.payloads.append(MemoryChanged(str(memory_id), change, memory_type, revision))

    def superseded(self, memory_id: UUID, memory_type: str, revision: int, by: UUID | None) -> None:
        """Another memory holds its slot."""
        self.payloads.append(
            MemoryChanged(str(memory_id), "superseded", memory_type, revision, str(by or ""))
        )

    async def record(
        self, connection: Connection, owner_id: OwnerId, told: list[Payload] | None = None
    ) -> None:
        """Records them, or with `told` leaves it to whoever records those."""
        if told is None:
            await events.record(connection, owner_id, self.payloads)
        else:
            told += self.payloads
