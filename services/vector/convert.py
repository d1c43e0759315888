"""Searches and lists: the contract's form and the storage's."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import numpy as np
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1.memory_service_pb2 import ListMemoriesRequest
from mnema.v1.vector_service_pb2 import (
    Chunk,
    ItemKind,
    Relevance,
    SearchHit,
    SearchRequest,
)
from services.contract.convert_memory import memory_of, memory_type_names
from services.contract.convert_message import datetime_of, message_of
from services.providers.embeddings.base import Vector
from services.runtime.errors import FailedPrecondition, invalid
from services.storage.memories import MemoryFilter, MemoryRow
from services.storage.messages import MessageRow
from services.storage.search import ChunkRow, Filter, Hit
from services.storage.search_items import Kind
from services.vector.found import Found

DEFAULT_LIMIT = 20
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


def memory_filter_of(request: ListMemoriesRequest) -> MemoryFilter:
    """Which memories to list."""
    return MemoryFilter(
        memory_types=memory_type_names(request.memory_types),
        created_after=_time(request, "created_after"),
        created_before=_time(request, "created_before"),
        event_after=_time(request, "event_after"),
        event_before=_time(request, "event_before"),
        as_of=_time(request, "as_of"),
    )


def given_embedding(request: SearchRequest, dims: int) -> Vector | None:
    """The caller's own embedding of the query, brought to unit length; None if none is given.

    FailedPrecondition (DIMENSION_MISMATCH) if it is not of `dims` values, InvalidArgument if
    it is all zero.
    """
    if not request.query_embedding:
        return None
    values = np.array(request.query_embedding, dtype=np.float64)
    if len(values) != dims:
        raise FailedPrecondition(
            f"the query's embedding has {len(values)} values, the server's have {dims}",
            reason="DIMENSION_MISMATCH",
            metadata={"given": str(len(values)), "expected": str(dims)},
        )
    length = np.linalg.norm(values)
    if length == 0:
        raise invalid("query_embedding", "must not be all zero", "FIELD_OUT_OF_RANGE")
    return np.asarray(values / length, dtype=np.float32)


def search_hit(found: Found, user_id: str) -> SearchHit:
    """One thing that was found, and how well it fits."""
    relevance = _relevance(found.hit)
    match found.thing:
        case MemoryRow():
            memory = memory_of(found.thing, user_id, found.access)
            return SearchHit(memory=memory, relevance=relevance)
        case MessageRow():
            return SearchHit(message=message_of(found.thing, user_id), relevance=relevance)
        case ChunkRow():
            return SearchHit(chunk=_chunk(found.thing), relevance=relevance)


def _relevance(hit: Hit) -> Relevance:
    return Relevance(
        vector_similarity=hit.similarity,
        vector_rank=hit.vector_rank,
        bm25=hit.bm25,
        bm25_rank=hit.bm25_rank,
        rrf=hit.rrf,
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
