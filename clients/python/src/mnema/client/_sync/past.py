# Written by tools/sync_client.py from _async/past.py: change that file, not this one.
"""The past: bringing a moment of it back, and telling it in order."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from datetime import datetime

from mnema.client._convert.names import TIMELINE_KINDS
from mnema.client._convert.past import rollback_of, timeline_entry
from mnema.client._convert.times import timestamp_of
from mnema.client._sync.calls import Caller, take
from mnema.client.past import RollbackResult, TimelineEntry
from mnema.v1 import memory_service_pb2 as pb
from mnema.v1.memory_service_pb2_grpc import MemoryServiceStub

ROLLBACK_SECONDS = 300.0  # the least timeout of a rollback: it goes through all there is


@dataclass(frozen=True)
class Told:
    """What a timeline holds."""

    start_time: datetime | None
    end_time: datetime | None
    kinds: str | Iterable[str] | None
    as_of: datetime | None
    newest_first: bool


class Past:
    """The part of the client that deals with the past."""

    _caller: Caller

    def rollback_memories(
        self, user_id: str, to_time: datetime, *, request_id: str | None = None
    ) -> RollbackResult:
        """Makes the present what it was at a past moment, and loses nothing.

        Memories, the graph, key-values, the profile and the emotion profile, all at once. What
        was recorded since is taken back, what was taken back since comes back; reads as of any
        other moment answer as before. Messages and files stay.

        Args:
            user_id: whose memory it is.
            to_time: the moment, by when things were stored; an aware datetime, not in the future.
            request_id: a UUID that makes your own retries harmless. Default: a new one.

        Returns:
            A dict of rollback_id, which `undo_rollback` takes, and of what changed.
        """
        caller = self._caller.at_least(ROLLBACK_SECONDS)
        stub = caller.stub(MemoryServiceStub)
        request = pb.RollbackMemoriesRequest(
            user_id=user_id, to_time=timestamp_of(to_time), request_id=request_id or ""
        )
        return rollback_of((caller.write(stub.RollbackMemories, request)).rollback)

    def undo_rollback(
        self, user_id: str, rollback_id: str, *, request_id: str | None = None
    ) -> RollbackResult:
        """Makes the present what it was just before a rollback; can be undone as well.

        What was stored after the rollback is taken back with it, and stays readable as of its
        time.

        Raises:
            NotFound: there was no such rollback.
        """
        caller = self._caller.at_least(ROLLBACK_SECONDS)
        stub = caller.stub(MemoryServiceStub)
        request = pb.UndoRollbackRequest(
            user_id=user_id, rollback_id=rollback_id, request_id=request_id or ""
        )
        return rollback_of((caller.write(stub.UndoRollback, request)).rollback)

    def list_rollbacks(self, user_id: str, limit: int = 50) -> list[RollbackResult]:
        """Lists the rollbacks that took place, what undid them among them, the newest first."""
        return take(self._rollbacks(user_id, limit), limit)

    def timeline(
        self,
        user_id: str,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        kinds: str | Iterable[str] | None = None,
        limit: int = 50,
        *,
        as_of: datetime | None = None,
        newest_first: bool = False,
    ) -> list[TimelineEntry]:
        """Lists memories, messages and edges in the order in which they happened.

        Args:
            user_id: whose they are.
            start_time: only what happened at or after this aware datetime.
            end_time: only what happened before this.
            kinds: "memory", "message", "edge", or several of them. Default: all.
            limit: how many at most.
            as_of: lists what stood at that moment. Default: now.
            newest_first: turns the order round.
        """
        told = Told(start_time, end_time, kinds, as_of, newest_first)
        return take(self._timeline(user_id, told, limit), limit)

    def iter_timeline(
        self, user_id: str, kinds: str | Iterable[str] | None = None, *, newest_first: bool = False
    ) -> Generator[TimelineEntry]:
        """Iterates over the whole timeline."""
        return self._timeline(user_id, Told(None, None, kinds, None, newest_first), None)

    def _rollbacks(self, user_id: str, limit: int) -> Generator[RollbackResult]:
        stub = self._caller.stub(MemoryServiceStub)
        request = pb.ListRollbacksRequest(user_id=user_id)
        for page in self._caller.pages(stub.ListRollbacks, request, limit):
            for rollback in page.rollbacks:
                yield rollback_of(rollback)

    def _timeline(self, user_id: str, told: Told, limit: int | None) -> Generator[TimelineEntry]:
        stub = self._caller.stub(MemoryServiceStub)
        request = pb.ListTimelineRequest(
            user_id=user_id,
            start_time=timestamp_of(told.start_time),
            end_time=timestamp_of(told.end_time),
            kinds=TIMELINE_KINDS.numbers(told.kinds),
            as_of=timestamp_of(told.as_of),
            newest_first=told.newest_first,
        )
        for page in self._caller.pages(stub.ListTimeline, request, limit):
            for entry in page.entries:
                yield timeline_entry(entry)
