"""Files: the contract's form, the storage's and the domain's."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from mnema.v1 import file_service_pb2 as pb
from mnema.v1.vector_service_pb2 import ItemKind, SearchHit, SearchRequest
from services.contract.convert_message import timestamp_of
from services.contract.json_values import struct_dict, struct_of
from services.files.description import Description
from services.runtime.errors import invalid
from services.storage.documents import DocumentFilter, DocumentRow

DEFAULT_CATEGORY = "general"
DEFAULT_SEARCH_LIMIT = 5

Described: TypeAlias = pb.NewFile | pb.CreateFileRequest | pb.CreateFileFromTextRequest

_NAME = r"[A-Za-z0-9!#$&^_.+-]+"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}(?: *;[ -~]*)?")


def description_of(request: Described) -> Description:
    """What a call says of the file it brings. InvalidArgument if its media type is none."""
    described = pb.NewFile(
        user_id=request.user_id,
        filename=_name_of(request),
        mime_type=getattr(request, "mime_type", ""),
        category=request.category or DEFAULT_CATEGORY,
        tags=request.tags,
        metadata=request.metadata if request.HasField("metadata") else None,
    )
    if described.mime_type and not _MEDIA_TYPE.fullmatch(described.mime_type):
        raise invalid("mime_type", 'must be like "text/plain"', "FIELD_MALFORMED")
    kind = type(request).__name__.encode()
    return Description(
        filename=described.filename,
        mime_type=described.mime_type,
        category=described.category,
        tags=tuple(described.tags),
        metadata=struct_dict(described.metadata),
        request_id=request.request_id,
        call=kind + b"\0" + described.SerializeToString(deterministic=True),
    )


def file_message(row: DocumentRow, user_id: str) -> pb.File:
    """A stored file of `user_id`, as the contract shows it."""
    return pb.File(
        file_id=str(row.file_id),
        user_id=user_id,
        filename=row.filename,
        file_type=row.file_type,
        mime_type=row.mime_type,
        size_bytes=row.size_bytes,
        sha256=row.sha256.hex(),
        category=row.category,
        tags=row.tags,
        metadata=struct_of(row.metadata) if row.metadata else None,
        source_type=row.source_type,
        chunk_count=row.chunk_count,
        created_at=timestamp_of(row.recorded_at),
    )


def filter_of(request: pb.ListFilesRequest) -> DocumentFilter:
    """Which files to list."""
    return DocumentFilter(request.category, tuple(request.tags), _file_types(request.file_types))


def cursor_of(row: DocumentRow) -> tuple[str, str]:
    """The sort key of a page's last row, for its token."""
    return row.recorded_at.isoformat(), str(row.file_id)


def place_of(cursor: tuple[str | int | float | None, ...] | None) -> tuple[datetime, UUID] | None:
    """The sort key that a token carries; None for the first page."""
    if cursor is None:
        return None
    moment, file_id = cursor
    return datetime.fromisoformat(str(moment)), UUID(str(file_id))


def search_request(request: pb.SearchFilesRequest) -> SearchRequest:
    """The search for chunks that finds the pieces of files."""
    return SearchRequest(
        user_id=request.user_id,
        query=request.query,
        limit=request.limit or DEFAULT_SEARCH_LIMIT,
        kinds=[ItemKind.ITEM_KIND_CHUNK],
        file_types=_file_types(request.file_types),
        category=request.category,
    )


def file_hit(hit: SearchHit) -> pb.FileHit:
    """One piece of a file that was found."""
    return pb.FileHit(chunk=hit.chunk, score=hit.relevance.score, relevance=hit.relevance)


def _name_of(request: Described) -> str:
    if isinstance(request, pb.CreateFileFromTextRequest):
        return request.title
    return request.filename


def _file_types(names: Sequence[str]) -> tuple[str, ...]:
    """File types as they are stored: ".PDF" is pdf."""
    return tuple(name.lower().removeprefix(".") for name in names)
