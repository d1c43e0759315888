# Written by tools/sync_client.py from _async/events.py: change that file, not this one.
"""What happens to memory: events, listed and watched."""

from collections.abc import Generator, Sequence
from contextlib import closing

import grpc

from mnema.client._convert.events import event_of
from mnema.client._convert.names import EVENT_TYPES
from mnema.client._retries import FIRST_PAUSE, Pauses
from mnema.client._status import error_of
from mnema.client._sync import transport
from mnema.client._sync.calls import PAGE, Caller
from mnema.client.models import Event
from mnema.v1 import event_service_pb2 as pb
from mnema.v1.event_service_pb2_grpc import EventServiceStub


class Events:
    """Events: `nm.events`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(
        self,
        user_id: str | None = None,
        types: str | Sequence[str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> list[Event]:
        """Lists what happened, the oldest first.

        Args:
            user_id: the user asked about. None: the key's own user; with a tenant's key, all
                users of the tenant.
            types: only "extraction", "llm_call", "embedding_call", "digest" or
                "memory_changed"; one or several of them.
            cursor: only what comes after: an event's `cursor`. None: from the oldest that is
                kept (the server keeps a day by default).
            limit: how many at most: 1 or more.

        Raises:
            ValueError: the limit is below 1, or there is no such type.
            InvalidArgument: something is malformed; reason CURSOR_EXPIRED: the cursor is older
                than what is kept.

        Example:
            with Mnema() as nm:
                for event in nm.events.list("alice", types="memory_changed"):
                    print(event.recorded_at, event.data["change"], event.data["memory_id"])
        """
        if limit < 1:
            raise ValueError(f"limit is {limit}: it must be 1 or more")
        request = pb.ListEventsRequest(
            user_id=user_id or "", types=EVENT_TYPES.numbers(types), cursor=cursor or ""
        )
        stub = self._caller.stub(EventServiceStub)
        found: list[Event] = []
        while True:
            request.page_size = min(PAGE, limit - len(found))
            page = self._caller.read(stub.ListEvents, request)
            found += map(event_of, page.events)
            if not page.has_more or len(found) >= limit:
                return found
            request.cursor = page.next_cursor

    def watch(
        self,
        user_id: str | None = None,
        types: str | Sequence[str] | None = None,
        cursor: str | None = None,
    ) -> Generator[Event]:
        """Tells what happens, as it happens, without an end.

        Goes on by itself, missing nothing and telling nothing twice, when the server goes away
        and comes back. To go on in another process, give it the last event's `cursor`.

        Args:
            user_id: as for `list`.
            types: as for `list`.
            cursor: goes on behind this place. None: what happens from now on.

        Raises:
            InvalidArgument: as for `list`.
            ResourceExhausted: the server has too many watchers.

        Example:
            with Mnema() as nm:
                for event in nm.events.watch("alice"):
                    print(event.type, event.data)
                    break
        """
        request = pb.WatchRequest(
            user_id=user_id or "", types=EVENT_TYPES.numbers(types), cursor=cursor or ""
        )
        with closing(watched(self._caller, request)) as answers:
            for answer in answers:
                for event in answer.events:
                    yield event_of(event)


def watched(caller: Caller, request: pb.WatchRequest) -> Generator[pb.WatchResponse]:
    """The responses of one stream after another; the request's cursor moves on with them."""
    pauses = Pauses()
    while True:
        stub = caller.stub(EventServiceStub)
        answers = transport.download(stub.Watch, request, None, caller.metadata)
        try:
            with closing(answers):
                for answer in answers:
                    # Moved on behind the events only: whoever stops among them goes on there.
                    yield answer
                    request.cursor = answer.cursor
                    pauses.begin()
            transport.sleep(FIRST_PAUSE)  # it has lasted as long as a stream may
        except grpc.RpcError as failure:
            pause = pauses.after(error_of(failure))
            if pause is None:
                raise error_of(failure) from failure
            transport.sleep(pause)
