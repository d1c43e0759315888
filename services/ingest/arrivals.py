"""The messages of a stream that have arrived and wait for their turn, in groups."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Self

from mnema.v1.ingest_service_pb2 import IngestStreamRequest
from services.runtime.errors import MnemaError, Unavailable

MOST_MESSAGES = 100
"""Of one group, and read ahead of it."""

MOST_OCTETS = 256 * 1024
"""As MOST_MESSAGES, of serialised requests; a single message may be longer."""

_RETRY_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Group:
    """Messages that were said one after another by one user; `first` is the first one's index.

    No two of them have the same request_id.
    """

    first: int
    requests: list[IngestStreamRequest]


class Arrivals:
    """Reads a stream while groups of it are being stored, one group ahead at most.

    To be used as a context manager: the reading ends with the block.
    """

    def __init__(self, requests: AsyncIterator[IngestStreamRequest]) -> None:
        self._requests = requests
        self._waiting: deque[IngestStreamRequest] = deque()
        self._octets = 0
        self._taken = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._stopped = False
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._read(), name="ingest stream reader")
        self._reader.add_done_callback(lambda _: self._arrived.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})

    def stop(self) -> None:
        """Reads no more: what has arrived is still given, then `groups` raises Unavailable."""
        if self._reader is not None and not self._reader.done():
            self._stopped = self._reader.cancel()

    async def groups(self) -> AsyncGenerator[Group]:
        """What has arrived, group by group, without waiting for more; until the stream ends.

        Raises what the reading raised, behind the last group that it gave. A MnemaError's
        metadata name the "index" of the message.
        """
        reader = self._reader
        if reader is None:
            raise RuntimeError("the reading has not begun: enter the context first")
        while True:
            while not self._waiting and not reader.done():
                self._arrived.clear()
                await self._arrived.wait()
            if not self._waiting:
                break
            yield self._group()
        if self._stopped:
            raise Unavailable("the server is going down", retry_after=_RETRY_AFTER_SECONDS)
        try:
            reader.result()
        except MnemaError as refused:
            refused.metadata["index"] = str(self._taken)
            raise

    async def _read(self) -> None:
        async for request in self._requests:
            while len(self._waiting) >= MOST_MESSAGES or self._octets >= MOST_OCTETS:
                self._room.clear()
                await self._room.wait()
            self._waiting.append(request)
            self._octets += request.ByteSize()
            self._arrived.set()

    def _group(self) -> Group:
        """Takes the messages of one user that come first, within the bounds."""
        group = Group(self._taken, [self._waiting.popleft()])
        user_id, octets = group.requests[0].user_id, group.requests[0].ByteSize()
        ids = {group.requests[0].request_id.lower()}
        while self._waiting and len(group.requests) < MOST_MESSAGES:
            request = self._waiting[0]
            octets += request.ByteSize()
            repeated = request.request_id and request.request_id.lower() in ids
            if request.user_id != user_id or repeated or octets > MOST_OCTETS:
                break
            ids.add(request.request_id.lower())
            group.requests.append(self._waiting.popleft())
        self._taken += len(group.requests)
        self._octets = sum(each.ByteSize() for each in self._waiting)
        self._room.set()
        return group
