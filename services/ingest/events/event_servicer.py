"""The gRPC face of events."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import event_service_pb2 as pb
from mnema.v1.event_service_pb2_grpc import EventServiceServicer
from services.ingest.events.convert import event_of, kinds_of
from services.ingest.events.cursors import cursor_of, position_of
from services.ingest.events.watching import EventReader, Wanted, Watchers
from services.runtime import context
from services.runtime.paging import page_size
from services.runtime.scope import Scope
from services.storage.events import Position

Context = aio.ServicerContext[Message, Message]

_WATCH_SECONDS = 900.0
_EVENTS_A_PAGE = 100


class EventServicer(EventServiceServicer):
    """What happened, listed and watched; the contract's comments say what each call does."""

    def __init__(self, reader: EventReader, watchers: Watchers) -> None:
        self._reader = reader
        self._watchers = watchers

    async def Watch(
        self, request: pb.WatchRequest, context: Context
    ) -> AsyncIterator[pb.WatchResponse]:
        wanted = Wanted(
            scope=_scope(request.user_id),
            kinds=kinds_of(request.types),
            after=position_of(request.cursor) if request.cursor else None,
            seconds=request.max_duration.ToTimedelta().total_seconds()
            if request.HasField("max_duration")
            else _WATCH_SECONDS,
        )
        async with aclosing(self._watchers.watch(wanted)) as telling:
            async for told in telling:
                yield pb.WatchResponse(
                    events=map(event_of, told.events), cursor=cursor_of(told.position)
                )

    async def ListEvents(
        self, request: pb.ListEventsRequest, context: Context
    ) -> pb.ListEventsResponse:
        size = page_size(request.page_size, default=_EVENTS_A_PAGE)
        after = position_of(request.cursor) if request.cursor else Position(0, 0, datetime.now(UTC))
        reading = await self._reader.read(
            _scope(request.user_id), after, kinds_of(request.types), size
        )
        return pb.ListEventsResponse(
            events=map(event_of, reading.events),
            next_cursor=cursor_of(reading.position),
            has_more=reading.more,
        )


def _scope(user_id: str) -> Scope:
    """Of the user; without one of the key's own user, or else of the whole tenant."""
    user_id = user_id or context.principal().user_id or ""
    return context.user_scope(user_id) if user_id else context.tenant_scope()
