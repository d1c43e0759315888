"""Documents and their chunks: stored as given, listed by keys, erased with all that finds them."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import asyncpg
import numpy as np
import pytest

from services.runtime.database import Database
from services.runtime.ids import new_id
from services.storage import documents
from services.storage.documents import DocumentFilter, DocumentRow, NewChunk, NewDocument
from services.storage.foundation import active_space
from services.storage.places import chunk_place
from services.storage.search_items import index_items
from services.storage.vectors import store_vectors
from tests.conftest import TestDatabase
from tests.store.indexed import indexed
from tests.store.owners import Owner, new_owner, opened

TABLES = ("documents", "chunks", "search_items", "postings", "unembedded", "vectors_1", "codes_1")


@pytest.fixture
async def database(test_database: TestDatabase) -> AsyncIterator[Database]:
    async with opened(test_database) as made:
        yield made


def a_document(**differently: object) -> NewDocument:
    file_id = new_id()
    plain = NewDocument(
        file_id=file_id,
        filename="a.txt",
        file_type="txt",
        mime_type="text/plain",
        size_bytes=5,
        sha256=hashlib.sha256(b"words").digest(),
        category="general",
        tags=("x", "y"),
        metadata={"n": 1, "deep": {"list": [True, None]}},
        chunk_count=0,
        object_key=f"t/o/{file_id}",
    )
    return replace(plain, **differently)  # type: ignore[arg-type]


async def insert(owner: Owner, document: NewDocument) -> DocumentRow:
    async with owner.transaction() as connection:
        return await documents.insert_document(connection, owner.owner_id, document)


async def insert_with_chunks(owner: Owner, texts: list[str]) -> DocumentRow:
    document = a_document(chunk_count=len(texts))
    chunks = [
        NewChunk(new_id(), place, text, 10 * place, 10 * place + len(text), 0, place + 1, 1)
        for place, text in enumerate(texts)
    ]
    async with owner.transaction() as connection:
        row = await documents.insert_document(connection, owner.owner_id, document)
        await documents.insert_chunks(connection, owner.owner_id, row.file_id, chunks)
        items = [
            indexed(
                each.chunk_id, "chunk", each.content, place=chunk_place(row.number, each.position)
            )
            for each in chunks
        ]
        await index_items(connection, owner.owner_id, items)
        space = await active_space(connection)
        vectors = {each.place: np.ones(space.dims, np.float32) for each in items}
        await store_vectors(connection, owner.owner_id, space, vectors)
    return row


async def counts(owner: Owner) -> list[int]:
    async with owner.transaction() as connection:
        return [await connection.fetchval(f"SELECT count(*) FROM {name}") for name in TABLES]


async def test_a_document_is_stored_as_given(database: Database) -> None:
    owner = await new_owner(database)
    document = a_document()
    stored = await insert(owner, document)
    assert (stored.tags, stored.metadata) == (document.tags, document.metadata)
    assert (stored.sha256, stored.object_key) == (document.sha256, document.object_key)
    assert stored.source_type == "upload"
    text = a_document(object_key="", source_text="words")
    assert (await insert(owner, text)).source_type == "text"
    async with owner.transaction() as connection:
        get, source = documents.get_document, documents.get_source_text
        assert await get(connection, owner.owner_id, document.file_id) == stored
        assert await source(connection, owner.owner_id, text.file_id) == "words"
        assert await source(connection, owner.owner_id, document.file_id) is None
        assert await get(connection, owner.owner_id, UUID(int=1)) is None
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(owner, a_document(size_bytes=0))


async def test_lists_go_back_in_time(database: Database) -> None:
    owner = await new_owner(database)
    made = [await insert(owner, a_document(category=f"c{n % 2}")) for n in range(5)]

    async def listed(
        chosen: DocumentFilter, after: DocumentRow | None = None, limit: int = 10
    ) -> list[DocumentRow]:
        place = None if after is None else (after.recorded_at, after.file_id)
        async with owner.transaction() as connection:
            return await documents.list_documents(
                connection, owner.owner_id, chosen, after=place, limit=limit
            )

    everything = DocumentFilter()
    assert await listed(everything) == made[::-1]
    first = await listed(everything, limit=2)
    assert first + await listed(everything, after=first[-1]) == made[::-1]
    assert await listed(DocumentFilter(category="c1")) == [made[3], made[1]]
    assert await listed(DocumentFilter(tags=("y",)), limit=1) == [made[4]]
    assert await listed(DocumentFilter(tags=("y", "z"))) == []
    assert await listed(DocumentFilter(file_types=("pdf",))) == []
    assert len(await listed(DocumentFilter(file_types=("pdf", "txt")))) == 5


async def test_erasing_leaves_no_trace(database: Database) -> None:
    owner = await new_owner(database)
    kept = await insert_with_chunks(owner, ["other words"])
    before = await counts(owner)
    gone = await insert_with_chunks(owner, ["some words", "more of them", "and some words"])
    async with owner.transaction() as connection:
        erase, refers = documents.erase_document, documents.refers_to_object
        place = (connection, owner.owner_id, gone.file_id)
        assert await refers(*place, gone.object_key)
        assert await erase(*place) == gone.object_key
        assert await erase(*place) is None
        assert not await refers(*place, gone.object_key)
        assert not await refers(connection, owner.owner_id, kept.file_id, "another/key")
    assert await counts(owner) == before


async def test_another_user_reaches_nothing(database: Database) -> None:
    alice, bob = await new_owner(database), await new_owner(database, "bob")
    row = await insert_with_chunks(alice, ["some words"])
    before = await counts(alice)
    async with bob.transaction() as connection:
        # Even asked for by the right owner's id: the wall is the transaction's.
        for owner_id in (alice.owner_id, bob.owner_id):
            assert await documents.get_document(connection, owner_id, row.file_id) is None
            assert await documents.erase_document(connection, owner_id, row.file_id) is None
            listed = await documents.list_documents(
                connection, owner_id, DocumentFilter(), after=None, limit=10
            )
            assert listed == []
    assert await counts(alice) == before
