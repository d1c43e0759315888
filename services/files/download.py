"""A file's bytes as they were uploaded, or not at all."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Protocol
from urllib.parse import quote

from services.providers.objects.storage import CHUNK_BYTES, ObjectStorage
from services.runtime.database import Database
from services.runtime.errors import Internal, NotFound
from services.runtime.ids import OwnerId
from services.runtime.scope import Scope
from services.storage.documents import DocumentRow, get_document, get_source_text


class Owner(Protocol):
    """Whose file it is: a user who calls, or whom a link names."""

    @property
    def owner_id(self) -> OwnerId:
        """The key of everything the user owns."""

    @property
    def scope(self) -> Scope:
        """What a transaction on the user's behalf may see."""


class Downloads:
    """Reads files, those of the object storage and those that were made from text."""

    def __init__(self, database: Database, objects: ObjectStorage) -> None:
        self._database = database
        self._objects = objects

    async def pieces(self, owner: Owner, document: DocumentRow) -> AsyncIterator[bytes]:
        """The file's bytes in pieces of up to 256 KiB: at least one.

        The last piece comes only once all of them are certain to be what was uploaded, so
        a damaged file never looks whole.

        Raises:
            Internal: The bytes are damaged or lost.
            NotFound: The file was deleted meanwhile.
        """
        digest, held = hashlib.sha256(), b""
        async for piece in self._stored(owner, document):
            digest.update(piece)
            if held:
                yield held
            held = piece
        if digest.digest() != document.sha256:
            raise Internal(f"file {document.file_id} is damaged: its SHA-256 is another one")
        yield held

    async def _stored(self, owner: Owner, document: DocumentRow) -> AsyncIterator[bytes]:
        if not document.object_key:
            for piece in _cut(await self._text(owner, document)):
                yield piece
            return
        try:
            async for piece in self._objects.stream(document.object_key):
                yield piece
        except NotFound as missing:
            async with self._database.transaction(owner.scope, readonly=True) as connection:
                still = await get_document(connection, owner.owner_id, document.file_id)
            if still is None:
                raise NotFound("file", str(document.file_id)) from missing
            raise Internal(f"the bytes of file {document.file_id} are lost") from missing

    async def _text(self, owner: Owner, document: DocumentRow) -> bytes:
        async with self._database.transaction(owner.scope, readonly=True) as connection:
            text = await get_source_text(connection, owner.owner_id, document.file_id)
        if text is None:
            raise NotFound("file", str(document.file_id))
        return text.encode()


def content_type_of(document: DocumentRow) -> str:
    """What HTTP is told that the bytes are."""
    if document.source_type == "text":
        return f"{document.mime_type}; charset=utf-8"
    return document.mime_type


def safe_headers(document: DocumentRow) -> tuple[tuple[str, str], ...]:
    """What keeps a browser that follows a link from running a stranger's file on our origin."""
    name = quote(document.filename, safe="")
    return (
        ("content-disposition", f"attachment; filename*=UTF-8''{name}"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox"),
        ("cache-control", "private, no-store"),
    )


def _cut(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]
