"""Searches and lists: the contract's form and the storage's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1.memory_service_pb2 import ListMemoriesRequest
from mnema.v1.vector_service_pb2 import (
    Chunk,
    ItemKind,
    Passage,
    Relevance,
    SearchHit,
    SearchRequest,
    SignalShare,
)
from services.contract.convert_memory import memory_of, memory_type_names
from services.contract.convert_message import datetime_of, message_of
from services.providers.embeddings.base import Vector
from services.runtime.errors import invalid
from services.storage.documents import ChunkRow
from services.storage.memories import MemoryFilter
from services.storage.memory_rows import MemoryRow
from services.storage.messages import MessageRow
from services.storage.places import MESSAGE, kind_of, part_of
from services.storage.search import Candidate, Filter
from services.storage.search_items import Kind
from services.text.units import position_of
from services.vector.found import Found
from services.vector.searching import Hit

DEFAULT_LIMIT = 20
MOST_SHOWN = 16_384
"""Characters of a message that are shown whole: a full answer has to fit a gRPC message."""

_KINDS: Mapping["ItemKind.ValueType", Kind] = {
    ItemKind.ITEM_KIND_MEMORY: "memory",
    ItemKind.ITEM_KIND_MESSAGE: "message",
    ItemKind.ITEM_KIND_CHUNK: "chunk",
}


def filter_of(request: SearchRequest) -> Filter:
    """What may be found; memories alone if no kind is named."""
    return Filter(
        kinds=tuple(dict.fromkeys(_KINDS[kind] for kind in request.kinds)) or ("memory",),
        memory_types=memory_type_names(request.memory_types),
        created_after=_time(request, "created_after"),
        created_before=_time(request, "created_before"),
        event_after=_time(request, "event_after"),
        event_before=_time(request, "event_before"),
        as_of=_time(request, "as_of"),
        file_types=tuple(name.lower().removeprefix(".") for name in request.file_types),
        category=request.category,
    )


def asked_at(request: SearchRequest) -> datetime:
    """The moment that the query's relative dates count from, in the time zone of who asks.

    InvalidArgument (FIELD_MALFORMED) if there is no such zone.
    """
    name = request.time_zone or "UTC"
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # Some names of no zone are folders or unreadable files of the database of zones.
        raise invalid("time_zone", "is no IANA time zone", "FIELD_MALFORMED") from None
    moment = _time(request, "asked_at") or _time(request, "as_of") or datetime.now(UTC)
    return moment.astimezone(zone)


def memory_filter_of(request: ListMemoriesRequest) -> MemoryFilter:
    """Which memories to list."""
    return MemoryFilter(
        memory_types=memory_type_names(request.memory_types),
        created_after=_time(request, "created_after"),
        created_before=_time(request, "created_before"),
        event_after=_time(request, "event_after"),
        event_before=_time(request, "event_before"),
        as_of=_time(request, "as_of"),
        tags=tuple(request.tags),
        category=request.category,
        text=request.text,
    )


def given_embedding(request: SearchRequest, dims: int, model: str) -> Vector | None:
    """The caller's own embedding of the query, brought to unit length; None if none is given.

    InvalidArgument if it is not of `dims` values (DIMENSION_MISMATCH), is all zero, or is said
    to be of another model than `model`.
    """
    if request.query_embedding_model not in ("", model):
        raise invalid("query_embedding_model", f"is not the server's, {model!r}")
    if not request.query_embedding:
        return None
    values = np.array(request.query_embedding, dtype=np.float64)
    if len(values) != dims:
        wrong = f"has {len(values)} values, the server's have {dims}"
        error = invalid("query_embedding", wrong, "DIMENSION_MISMATCH")
        error.metadata.update(given=str(len(values)), expected=str(dims))
        raise error
    length = np.linalg.norm(values)
    if length == 0:
        raise invalid("query_embedding", "must not be all zero", "FIELD_OUT_OF_RANGE")
    return np.asarray(values / length, dtype=np.float32)


def search_hit(found: Found, user_id: str, *, explain: bool = False) -> SearchHit:
    """One thing that was found, how well it fits, and where it fits best if it is long.

    `explain` names the share of every signal.
    """
    relevance = _relevance(found.hit, explain=explain)
    match found.thing:
        case MemoryRow():
            memory = memory_of(found.thing, user_id, found.access)
            passage = _passage(found.thing.content, found.hit.unit)
            return SearchHit(memory=memory, relevance=relevance, passage=passage)
        case MessageRow():
            message = message_of(found.thing, user_id)
            passage = _passage(found.thing.content, found.hit.unit)
            if passage is not None and len(message.content) > MOST_SHOWN:
                message.content = passage.content
            return SearchHit(message=message, relevance=relevance, passage=passage)
        case ChunkRow():
            return SearchHit(chunk=_chunk(found.thing), relevance=relevance)


def _passage(text: str, unit: Candidate) -> Passage | None:
    """The unit of a text, if it is not the whole of it."""
    if unit.start_offset == 0 and unit.end_offset >= len(text):
        return None
    # A message's parts are its passages; those of a memory go on from the memory before it.
    of_message = kind_of(unit.place) == MESSAGE
    return Passage(
        content=text[unit.start_offset : unit.end_offset],
        start_offset=unit.start_offset,
        end_offset=unit.end_offset,
        position=part_of(unit.place) if of_message else position_of(text, unit.start_offset),
    )


def _relevance(hit: Hit, *, explain: bool) -> Relevance:
    return Relevance(
        vector_similarity=hit.similarity,
        vector_rank=hit.vector_rank,
        bm25=hit.bm25,
        bm25_rank=hit.bm25_rank,
        rrf=hit.rrf,
        score=hit.score,
        signals=[
            SignalShare(name=each.name, value=each.value, weight=each.weight, share=each.share)
            for each in (hit.shares if explain else ())
        ],
    )


def _chunk(row: ChunkRow) -> Chunk:
    return Chunk(
        chunk_id=str(row.chunk_id),
        file_id=str(row.file_id),
        filename=row.filename,
        position=row.position,
        content=row.content,
        start_offset=row.start_offset,
        end_offset=row.end_offset,
        page=row.page,
        line=row.line,
        paragraph=row.paragraph,
    )


def _time(request: Message, field: str) -> datetime | None:
    stamp: Timestamp = getattr(request, field)
    return datetime_of(stamp) if request.HasField(field) else None


def cursor_of(moment: datetime, row_id: UUID) -> tuple[str, str]:
    """The sort key of a page's last row, for its token."""
    return moment.isoformat(), str(row_id)


def place_of(cursor: tuple[str | int | float | None, ...] | None) -> tuple[datetime, UUID] | None:
    """The sort key that a token carries; None for the first page."""
    if cursor is None:
        return None
    moment, row_id = cursor
    return datetime.fromisoformat(str(moment)), UUID(str(row_id))
