"""Memories, one by one."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from mnema.client._async.calls import AsyncCaller, take
from mnema.client._convert.memories import EmotionGiven, MemoryFields, memory_of
from mnema.client._convert.names import MEMORY_TYPES, texts
from mnema.client._convert.times import timestamp_of
from mnema.client.models import Memory
from mnema.v1 import memory_service_pb2 as pb
from mnema.v1.memory_service_pb2_grpc import MemoryServiceStub

MemoryList = list[Memory]  # inside the class `list` is a method
MemoryTypes = str | Sequence[str] | None


@dataclass(frozen=True)
class Interval:
    """Which memories a listing holds; each interval is half-open: after <= time < before."""

    memory_type: MemoryTypes = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    event_after: datetime | None = None
    event_before: datetime | None = None
    as_of: datetime | None = None
    tags: tuple[str, ...] = ()
    category: str = ""
    text: str = ""


class AsyncMemories:
    """Adds, reads, corrects and takes back single memories: `nm.memories`."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def add(  # noqa: PLR0913 - the names are part of the interface
        self,
        user_id: str,
        content: str,
        memory_type: str = "general",
        metadata: Mapping[str, Any] | None = None,
        *,
        importance: int | None = None,
        emotion: EmotionGiven | None = None,
        confidence: float | None = None,
        event_at: datetime | None = None,
        slot: str | None = None,
        tags: Sequence[str] | None = None,
        request_id: str | None = None,
    ) -> Memory:
        """Adds a memory; it can be found by its words and its meaning when this returns.

        Args:
            user_id: whose memory it is.
            content: what is remembered: 1 to 16,384 characters.
            memory_type: "fact", "episodic", "insight", "general", "preference", "decision",
                "todo", "context", "instruction", "error", "workflow" or "reference".
            metadata: your own data about it: JSON of at most 16 KiB. An "importance" or "emotion"
                in it counts as the argument of that name.
            importance: 1 to 10. None counts as 5.
            emotion: an Emotion, or a dict of valence, arousal and label.
            confidence: 0 to 1. Default: 1.
            event_at: when it was true or happened: an aware datetime.
            slot: a newer memory of the same slot replaces this one, such as "alice/city".
            tags: words to find it by: at most 64, each at most 64 characters.
            request_id: a UUID that makes your own retries harmless. Default: a new one.
        """
        fields = MemoryFields(
            content=content,
            memory_type=memory_type,
            importance=importance,
            emotion=emotion,
            confidence=confidence,
            event_at=event_at,
            slot=slot,
            tags=tuple(tags) if tags is not None else None,
            metadata=metadata,
        ).lifted()
        stub = self._caller.stub(MemoryServiceStub)
        request = pb.AddMemoryRequest(
            user_id=user_id, memory=fields.message(), request_id=request_id or ""
        )
        return memory_of((await self._caller.write(stub.AddMemory, request)).memory)

    async def get(self, user_id: str, memory_id: str, *, as_of: datetime | None = None) -> Memory:
        """Gets a memory: its present revision, or the last one if it was taken back.

        Raises:
            NotFound: the user has none of that id (or had none at `as_of`).
        """
        stub = self._caller.stub(MemoryServiceStub)
        request = pb.GetMemoryRequest(
            user_id=user_id, memory_id=memory_id, as_of=timestamp_of(as_of)
        )
        return memory_of((await self._caller.read(stub.GetMemory, request)).memory)

    async def list(  # noqa: PLR0913 - the names are part of the interface
        self,
        user_id: str,
        memory_type: MemoryTypes = None,
        limit: int = 50,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        event_after: datetime | None = None,
        event_before: datetime | None = None,
        as_of: datetime | None = None,
        tags: Sequence[str] | str | None = None,
        category: str | None = None,
        text: str | None = None,
    ) -> MemoryList:
        """Lists memories, the newest first. All filters must hold.

        Args:
            user_id: whose memories they are.
            memory_type: one type or several. Default: all.
            limit: how many at most.
            created_after: only those stored at or after this aware datetime.
            created_before: only those stored before this.
            event_after: only those that were true or happened at or after this.
            event_before: only those that were true or happened before this.
            as_of: lists them as they stood at that moment. Default: now.
            tags: only those that carry this tag, or all of these.
            category: only those of this category.
            text: only those whose content holds this text, in capitals or not. To find by words
                and meaning, see `search`.
        """
        interval = Interval(
            memory_type,
            created_after,
            created_before,
            event_after,
            event_before,
            as_of,
            tuple(texts(tags)),
            category or "",
            text or "",
        )
        return await take(self._memories(user_id, interval, limit), limit)

    def iter(
        self, user_id: str, memory_type: MemoryTypes = None, *, as_of: datetime | None = None
    ) -> AsyncGenerator[Memory]:
        """Iterates over all of a user's memories, the newest first."""
        return self._memories(user_id, Interval(memory_type, as_of=as_of), None)

    async def update(  # noqa: PLR0913 - the names are part of the interface
        self,
        user_id: str,
        memory_id: str,
        content: str | None = None,
        *,
        memory_type: str | None = None,
        importance: int | None = None,
        emotion: EmotionGiven | None = None,
        confidence: float | None = None,
        event_at: datetime | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Memory:
        """Corrects a memory: what is given becomes a new revision, the rest stays.

        The revision before stays readable as of its time. Arguments as for `add`.

        Raises:
            ValueError: nothing is given.
            NotFound: the user has none of that id.
        """
        fields = MemoryFields(
            content=content,
            memory_type=memory_type,
            importance=importance,
            emotion=emotion,
            confidence=confidence,
            event_at=event_at,
            tags=tuple(tags) if tags is not None else None,
            metadata=metadata,
        ).lifted()
        if not fields.names():
            raise ValueError("nothing to correct: give content, importance, tags, …")
        stub = self._caller.stub(MemoryServiceStub)
        request = pb.UpdateMemoryRequest(
            memory=fields.message(user_id, memory_id),
            update_mask=FieldMask(paths=fields.names()),
        )
        return memory_of((await self._caller.write(stub.UpdateMemory, request)).memory)

    async def delete(self, user_id: str, memory_id: str) -> bool:
        """Takes a memory back; whether it was there. Reads as of earlier still have it."""
        stub = self._caller.stub(MemoryServiceStub)
        request = pb.DeleteMemoryRequest(user_id=user_id, memory_id=memory_id)
        return (await self._caller.once(stub.DeleteMemory, request)).deleted

    async def revisions(
        self, user_id: str, memory_id: str, limit: int = 100, *, as_of: datetime | None = None
    ) -> MemoryList:
        """Lists all revisions of a memory and what replaced it, the oldest first.

        With `as_of` only what was known at that moment.
        """
        return await take(self._revisions(user_id, memory_id, limit, as_of), limit)

    async def _revisions(
        self, user_id: str, memory_id: str, limit: int, as_of: datetime | None
    ) -> AsyncGenerator[Memory]:
        stub = self._caller.stub(MemoryServiceStub)
        request = pb.ListMemoryRevisionsRequest(
            user_id=user_id, memory_id=memory_id, as_of=timestamp_of(as_of)
        )
        async for page in self._caller.pages(stub.ListMemoryRevisions, request, limit):
            for memory in page.revisions:
                yield memory_of(memory)

    async def _memories(
        self, user_id: str, interval: Interval, limit: int | None
    ) -> AsyncGenerator[Memory]:
        stub = self._caller.stub(MemoryServiceStub)
        request = pb.ListMemoriesRequest(
            user_id=user_id,
            memory_types=MEMORY_TYPES.numbers(interval.memory_type),
            created_after=timestamp_of(interval.created_after),
            created_before=timestamp_of(interval.created_before),
            event_after=timestamp_of(interval.event_after),
            event_before=timestamp_of(interval.event_before),
            as_of=timestamp_of(interval.as_of),
            tags=interval.tags,
            category=interval.category,
            text=interval.text,
        )
        async for page in self._caller.pages(stub.ListMemories, request, limit):
            for memory in page.memories:
                yield memory_of(memory)
