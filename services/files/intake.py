"""Taking a file in: its text, its chunks, its bytes, its rows; all of it or nothing.

The bytes are written before the transaction that makes them a file's. Should that never
commit, a job that was committed before the first byte finds bytes without a file and deletes
them: a crash at any point leaves no orphan.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mnema.v1.file_service_pb2 import File
from services.contract.stored_object import StoredObject
from services.contract.user import User
from services.files.convert import file_message
from services.files.description import Description
from services.files.limits import FileLimits
from services.files.text.chunks import Chunk, chunks_in_steps
from services.files.text.document import ExtractedText, FileType, Page
from services.files.text.safety import SafeExtraction
from services.providers.objects.storage import ObjectStorage
from services.runtime.database import Connection, Database
from services.runtime.ids import new_id
from services.runtime.turns import Steps, in_turns
from services.storage import documents, jobs
from services.storage.documents import DocumentRow, NewChunk, NewDocument
from services.storage.foundation import register_user
from services.storage.places import chunk_place
from services.storage.requests import answered, once
from services.storage.search_items import IndexedItem, index_items
from services.text.units import Unit, unit_of

# A book's terms take more memory than the book: they are made and stored a few at a time.
_CHUNKS_AT_ONCE = 256


@dataclass(slots=True)
class FileCall:
    """Stands for the call where calls are told apart: in place of the content, its digest."""

    request_id: str
    description: bytes
    sha256: bytes

    def SerializeToString(self, *, deterministic: bool = True) -> bytes:  # noqa: ARG002, N802
        """As a message has it."""
        return self.description + self.sha256


class Intake:
    """Takes files in. Long texts are cut and analysed in turns with what others bring."""

    def __init__(self, database: Database, objects: ObjectStorage, limits: FileLimits) -> None:
        self._database = database
        self._objects = objects
        self._limits = limits
        self._extraction = SafeExtraction(limits.extractions_at_once, limits.extraction_seconds)

    async def take_bytes(self, owner: User, described: Description, data: bytes) -> File:
        """Makes a file of bytes, or gives the answer that this request_id was given before.

        FileRejected says what is wrong with them. What can be found by words is so at once.
        """
        digest = await asyncio.to_thread(_sha256, data)
        call = FileCall(described.request_id, described.call, digest)
        known = await self._known(owner, call)
        if known is not None:
            return known
        extracted = await self._extraction.extract_text_safely(
            described.filename, data, described.mime_type
        )
        chunks = await in_turns(chunks_in_steps(extracted))
        stored = StoredObject.new(owner, new_id())
        document = _document(described, stored, extracted, data, digest, len(chunks))
        async with asyncio.timeout(self._limits.store_seconds):
            await self._promise_to_sweep(stored)
            await self._objects.upload(stored.key, data, document.mime_type)
            file = await self._store(owner, document, chunks, call)
        if file.file_id != str(stored.file_id):  # a call of the same request_id was faster
            await self._objects.delete(stored.key)
        return file

    async def take_text(self, owner: User, described: Description, text: str) -> File:
        """Makes a file of text, which the database keeps; otherwise as `take_bytes`."""
        data = text.encode()
        digest = await asyncio.to_thread(_sha256, data)
        call = FileCall(described.request_id, described.call, digest)
        known = await self._known(owner, call)
        if known is not None:
            return known
        extracted = ExtractedText(FileType.TXT, "text/plain", (Page(None, text),))
        chunks = await in_turns(chunks_in_steps(extracted))
        document = NewDocument(
            file_id=new_id(),
            filename=described.filename,
            file_type=extracted.file_type.value,
            mime_type=extracted.mime_type,
            size_bytes=len(data),
            sha256=digest,
            category=described.category,
            tags=described.tags,
            metadata=described.metadata,
            chunk_count=len(chunks),
            source_text=text,
        )
        return await self._store(owner, document, chunks, call)

    async def _known(self, owner: User, call: FileCall) -> File | None:
        async with self._database.transaction(owner.scope, readonly=True) as connection:
            return await answered(connection, owner.owner_id, call, File)

    async def _promise_to_sweep(self, stored: StoredObject) -> None:
        async with self._database.transaction(stored.owner.scope) as connection:
            await jobs.enqueue(
                connection,
                jobs.SWEEP_OBJECT,
                stored.payload(),
                delay_seconds=self._limits.sweep_seconds,
            )

    async def _store(
        self, owner: User, document: NewDocument, chunks: Sequence[Chunk], call: FileCall
    ) -> File:
        async def write(connection: Connection) -> File:
            async def write_file() -> File:
                await register_user(connection, owner.owner_id, owner.tenant_id, owner.user_id)
                row = await documents.insert_document(connection, owner.owner_id, document)
                for some in _batches(chunks):
                    await self._store_chunks(connection, owner, row, some)
                if chunks:
                    await jobs.enqueue(connection, jobs.EMBED, owner.payload())
                return file_message(row, owner.user_id)

            return await once(connection, owner.owner_id, call, File, write_file)

        return await self._database.run(owner.scope, write)

    async def _store_chunks(
        self,
        connection: Connection,
        owner: User,
        document: DocumentRow,
        chunks: Sequence[Chunk],
    ) -> None:
        units = await in_turns(_analyzed(chunks))
        new = [_new_chunk(each) for each in chunks]
        await documents.insert_chunks(connection, owner.owner_id, document.file_id, new)
        items = [
            IndexedItem(
                chunk.chunk_id,
                "chunk",
                chunk_place(document.number, chunk.position),
                each.terms,
                traits=each.traits,
                start_offset=chunk.start,
                end_offset=chunk.end,
            )
            for chunk, each in zip(new, units, strict=True)
        ]
        await index_items(connection, owner.owner_id, items)


def _document(
    described: Description,
    stored: StoredObject,
    extracted: ExtractedText,
    data: bytes,
    digest: bytes,
    chunk_count: int,
) -> NewDocument:
    return NewDocument(
        file_id=stored.file_id,
        filename=described.filename,
        file_type=extracted.file_type.value,
        mime_type=described.mime_type or extracted.mime_type,
        size_bytes=len(data),
        sha256=digest,
        category=described.category,
        tags=described.tags,
        metadata=described.metadata,
        chunk_count=chunk_count,
        object_key=stored.key,
    )


def _new_chunk(chunk: Chunk) -> NewChunk:
    return NewChunk(
        new_id(),
        chunk.position,
        chunk.text,
        chunk.start,
        chunk.end,
        chunk.page or 0,
        chunk.line,
        chunk.paragraph,
    )


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _analyzed(chunks: Sequence[Chunk]) -> Steps[list[Unit]]:
    units: list[Unit] = []
    for chunk in chunks:
        units.append(unit_of(chunk.text))
        yield
    return units


def _batches(chunks: Sequence[Chunk]) -> Iterator[Sequence[Chunk]]:
    for start in range(0, len(chunks), _CHUNKS_AT_ONCE):
        yield chunks[start : start + _CHUNKS_AT_ONCE]
