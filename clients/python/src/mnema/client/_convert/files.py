"""Files."""

from mnema.client._convert.json_values import dict_of
from mnema.client._convert.times import moment_of
from mnema.client.models import Document
from mnema.v1 import file_service_pb2


def document_of(file: file_service_pb2.File) -> Document:
    """A file as callers see it."""
    return Document(
        id=file.file_id,
        user_id=file.user_id,
        filename=file.filename,
        file_type=file.file_type,
        mime_type=file.mime_type,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        category=file.category,
        tags=tuple(file.tags),
        metadata=dict_of(file.metadata),
        source_type=file.source_type,
        chunk_count=file.chunk_count,
        created_at=moment_of(file.created_at),
    )
