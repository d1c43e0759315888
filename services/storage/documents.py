"""Files: what is known of them, and the chunks of their text. Their bytes are elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.queries import load
from services.storage.search_items import erase_items

SQL = load("documents")


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A file to store.

    Either `object_key` names its bytes in the object storage, or it was made from text and
    `source_text` is all of it. `sha256` are 32 bytes, `size_bytes` is above 0.
    """

    file_id: UUID
    filename: str
    file_type: str
    mime_type: str
    size_bytes: int
    sha256: bytes
    category: str
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    chunk_count: int
    object_key: str = ""
    source_text: str | None = None

    @property
    def source_type(self) -> str:
        """Where it comes from: "text" or "upload"."""
        return "upload" if self.source_text is None else "text"


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A stored file. `object_key` is empty for one that was made from text.

    `number` tells its chunks' places in the search index.
    """

    file_id: UUID
    filename: str
    file_type: str
    mime_type: str
    size_bytes: int
    sha256: bytes
    object_key: str
    category: str
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    source_type: str
    chunk_count: int
    recorded_at: datetime
    number: int


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A piece of a file's text: its place, its characters [start, end), its page (0: none).

    `line` and `paragraph` are where it begins in its page or file, from 1.
    """

    chunk_id: UUID
    position: int
    content: str
    start: int
    end: int
    page: int
    line: int
    paragraph: int


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk and the name of its file. Offsets are in characters, the end exclusive."""

    chunk_id: UUID
    file_id: UUID
    filename: str
    position: int
    content: str
    start_offset: int
    end_offset: int
    page: int
    line: int
    paragraph: int


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """Which files to list: of this category, with all of these tags, of one of these types.

    What is empty lets all pass.
    """

    category: str = ""
    tags: tuple[str, ...] = ()
    file_types: tuple[str, ...] = ()


async def insert_document(
    connection: Connection, owner_id: OwnerId, document: NewDocument
) -> DocumentRow:
    """Stores what is known of a file; returns it as stored."""
    row = await connection.fetchrow(
        SQL["insert_document"],
        owner_id,
        document.file_id,
        document.filename,
        document.file_type,
        document.mime_type,
        document.size_bytes,
        document.sha256,
        document.object_key,
        document.category,
        list(document.tags),
        dict(document.metadata),
        document.source_type,
        document.source_text,
        document.chunk_count,
    )
    if row is None:
        raise AssertionError("an INSERT that returns has a row")
    return _document(row)


async def insert_chunks(
    connection: Connection, owner_id: OwnerId, file_id: UUID, chunks: Sequence[NewChunk]
) -> None:
    """Stores chunks of a stored file, in one round trip; finding them is search_items' part."""
    await connection.execute(
        SQL["insert_chunks"],
        owner_id,
        file_id,
        [chunk.chunk_id for chunk in chunks],
        [chunk.position for chunk in chunks],
        [chunk.content for chunk in chunks],
        [chunk.start for chunk in chunks],
        [chunk.end for chunk in chunks],
        [chunk.page for chunk in chunks],
        [chunk.line for chunk in chunks],
        [chunk.paragraph for chunk in chunks],
    )


async def get_chunks(
    connection: Connection, owner_id: OwnerId, chunk_ids: Sequence[UUID]
) -> list[ChunkRow]:
    """The chunks of these ids, in no order; those that are gone are left out."""
    rows = await connection.fetch(SQL["get_chunks"], owner_id, list(chunk_ids))
    return [ChunkRow(**row) for row in rows]


async def get_document(
    connection: Connection, owner_id: OwnerId, file_id: UUID
) -> DocumentRow | None:
    """What is known of a file; None if there is none."""
    row = await connection.fetchrow(SQL["get_document"], owner_id, file_id)
    return _document(row) if row else None


async def get_source_text(connection: Connection, owner_id: OwnerId, file_id: UUID) -> str | None:
    """The text that a file was made from; None if it was uploaded, or is not there."""
    text: str | None = await connection.fetchval(SQL["get_source_text"], owner_id, file_id)
    return text


async def list_documents(
    connection: Connection,
    owner_id: OwnerId,
    chosen: DocumentFilter,
    *,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[DocumentRow]:
    """Files, the newest first; `after` is (recorded_at, file_id) of the last one seen."""
    recorded_at, file_id = after or (None, None)
    rows = await connection.fetch(
        SQL["list_documents"],
        owner_id,
        chosen.category,
        list(chosen.tags),
        list(chosen.file_types),
        recorded_at,
        file_id,
        limit,
    )
    return [_document(row) for row in rows]


async def refers_to_object(
    connection: Connection, owner_id: OwnerId, file_id: UUID, object_key: str
) -> bool:
    """Whether the file is there and its bytes are those under `object_key`."""
    found: bool = await connection.fetchval(SQL["refers_to_object"], owner_id, file_id, object_key)
    return found


async def erase_document(connection: Connection, owner_id: OwnerId, file_id: UUID) -> str | None:
    """Removes a file for good, with its chunks and all that finds them.

    Returns the key of its bytes, which are the caller's to delete (empty: there are none);
    None if there is no such file.
    """
    object_key: str | None = await connection.fetchval(SQL["lock_document"], owner_id, file_id)
    if object_key is None:
        return None
    chunks = await connection.fetch(SQL["list_chunk_ids"], owner_id, file_id)
    await erase_items(connection, owner_id, [row["chunk_id"] for row in chunks])
    await connection.execute(SQL["delete_document"], owner_id, file_id)
    return object_key


def _document(row: asyncpg.Record) -> DocumentRow:
    return DocumentRow(**{**dict(row), "tags": tuple(row["tags"])})
