"""Rollbacks and timelines: the contract's form and the storage's."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from mnema.v1 import memory_service_pb2 as pb
from services.contract.convert_graph import edge_message, moment_of
from services.contract.convert_memory import memory_of
from services.contract.convert_message import message_of, timestamp_of
from services.contract.user import User
from services.runtime.database import Connection
from services.runtime.errors import invalid
from services.runtime.paging import Cursor
from services.storage.memory_accesses import Access, list_accesses
from services.storage.memory_rows import MemoryRow
from services.storage.messages import MessageRow
from services.storage.rollbacks import Rollback
from services.storage.timeline import KINDS, Entry, Kind, Place, Span

MOST_OCTETS = 2 * 1024 * 1024
"""Of contents in one page: half of what a gRPC client takes unless it is told otherwise."""

_KINDS: Mapping["pb.TimelineKind.ValueType", Kind] = {
    pb.TIMELINE_KIND_MEMORY: "memory",
    pb.TIMELINE_KIND_MESSAGE: "message",
    pb.TIMELINE_KIND_EDGE: "edge",
}


def rollback_message(row: Rollback, user_id: str) -> pb.Rollback:
    """A rollback of `user_id`, as the contract shows it."""
    return pb.Rollback(
        rollback_id=str(row.rollback_id),
        user_id=user_id,
        to_time=timestamp_of(row.to_time),
        created_at=timestamp_of(row.recorded_at),
        undoes=str(row.undoes) if row.undoes else "",
        memories_retracted=row.memories_retracted,
        memories_restored=row.memories_restored,
        edges_retracted=row.edges_retracted,
        edges_restored=row.edges_restored,
        nodes_retracted=row.nodes_retracted,
        nodes_restored=row.nodes_restored,
        key_values_retracted=row.key_values_retracted,
        key_values_restored=row.key_values_restored,
        emotion_profile_changed=row.emotion_profile_changed,
    )


def span_of(request: pb.ListTimelineRequest) -> Span:
    """What a timeline is to hold."""
    chosen = [_KINDS[kind] for kind in request.kinds if kind in _KINDS]
    return Span(
        tuple(dict.fromkeys(chosen)) or KINDS,
        moment_of(request, "start_time"),
        moment_of(request, "end_time"),
        moment_of(request, "as_of"),
        request.newest_first,
    )


def fitting(entries: Sequence[Entry]) -> list[Entry]:
    """As many of the entries as fit a page, one at least."""
    octets, page = 0, list[Entry]()
    for entry in entries:
        octets += len(entry.thing.content.encode())
        if page and octets > MOST_OCTETS:
            break
        page.append(entry)
    return page


async def accesses_of(
    connection: Connection, user: User, entries: Sequence[Entry]
) -> Mapping[UUID, Access]:
    """How often recall has returned the memories among the entries."""
    ids = [entry.thing.memory_id for entry in entries if isinstance(entry.thing, MemoryRow)]
    return await list_accesses(connection, user.owner_id, ids)


def entry_message(entry: Entry, user_id: str, accesses: Mapping[UUID, Access]) -> pb.TimelineEntry:
    """An entry of a timeline of `user_id`."""
    happened, thing = timestamp_of(entry.happened_at), entry.thing
    if isinstance(thing, MemoryRow):
        memory = memory_of(thing, user_id, accesses.get(thing.memory_id))
        return pb.TimelineEntry(event_time=happened, memory=memory)
    if isinstance(thing, MessageRow):
        return pb.TimelineEntry(event_time=happened, message=message_of(thing, user_id))
    return pb.TimelineEntry(event_time=happened, edge=edge_message(thing))


def cursor_of(entry: Entry) -> Cursor:
    """Where the page after this entry begins."""
    happened_at, kind, identity = entry.place
    return happened_at.isoformat(), kind, str(identity)


def place_of(cursor: Cursor | None) -> Place | None:
    """The place of the last entry of the page before; None for the first page."""
    if cursor is None:
        return None
    happened_at, name, identity = (str(part) for part in cursor)
    for kind in KINDS:
        if kind == name:
            return datetime.fromisoformat(happened_at), kind, UUID(identity)
    raise invalid("page_token", "is not a token of this list", "PAGE_TOKEN_INVALID")
