"""The search index by words: units of what was said, written and remembered, and their terms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage import postings
from services.storage.embedding_spaces import list_spaces
from services.storage.numbers import take_numbers
from services.storage.places import CHUNK, MEMORY, MESSAGE, PLACELESS, kind_of
from services.storage.queries import load
from services.storage.vectors import erase_vectors, lock_vectors
from services.text.terms import Terms

SQL = load("search_items")
Kind = Literal["memory", "message", "chunk"]
KIND_NAMES: dict[int, Kind] = {
    MESSAGE: "message",
    MEMORY: "memory",
    CHUNK: "chunk",
    PLACELESS: "memory",
}

# About 256 tokens of English: what a small sentence model reads.
_OPENING_CHARS = 1_200
_MAX_FREQUENCY = 2**15 - 1  # smallint


@dataclass(frozen=True, slots=True)
class IndexedItem:
    """One unit: what is to be found under `item_id`, at its place.

    `item_id` is a memory revision's item_id, a message_id or a chunk_id; a long text gives
    several units of one item_id, whose characters are [start_offset, end_offset) of it.
    `recorded_at` is when the item enters the record (default: the transaction's time),
    `created_at` when the thing itself was first stored (default: `recorded_at`): they differ
    for the later revisions of a memory. ValueError if the place is one of another kind.
    """

    item_id: UUID
    kind: Kind
    place: int
    terms: Terms
    event_at: datetime | None = None
    memory_type: str | None = None
    recorded_at: datetime | None = None
    created_at: datetime | None = None
    speaker: str = ""
    traits: int = 0
    start_offset: int = 0
    end_offset: int = 0

    def __post_init__(self) -> None:
        if KIND_NAMES[kind_of(self.place)] != self.kind:
            raise ValueError(f"place {self.place} is not one of a {self.kind}")


@dataclass(frozen=True, slots=True)
class PendingItem:
    """A unit without a vector, and the text to make it of. `item_id` is whose unit it is."""

    place: int
    kind: Kind
    text: str
    item_id: UUID


async def index_items(
    connection: Connection,
    owner_id: OwnerId,
    items: Sequence[IndexedItem],
    *,
    embedded: bool = False,
) -> None:
    """Makes new units findable by their words, in one round trip.

    Their vectors come by `vectors.store_vectors`; until then they count as unembedded, unless
    the caller stores them in this transaction (`embedded`). A place is filled once: its text
    never changes.
    """
    if items:
        items = sorted(items, key=lambda item: item.place)
        await connection.execute(SQL["insert_items"], owner_id, *_columns(items), not embedded)


def _columns(items: Sequence[IndexedItem]) -> tuple[list[object], ...]:
    """The columns of units, as the statement takes them. No term has a space in it."""
    held = [item.terms.frequencies for item in items]
    return (
        [item.place for item in items],
        [item.item_id for item in items],
        [item.memory_type for item in items],
        [item.terms.length for item in items],
        [item.event_at for item in items],
        [item.recorded_at for item in items],
        [item.created_at for item in items],
        [item.speaker for item in items],
        [item.traits for item in items],
        [item.start_offset for item in items],
        [item.end_offset for item in items],
        [" ".join(each) for each in held],
        [" ".join([str(min(n, _MAX_FREQUENCY)) for n in each.values()]) for each in held],
    )


async def retract_items(
    connection: Connection, owner_id: OwnerId, item_ids: Sequence[UUID]
) -> None:
    """Takes items out of the present; reads as of an earlier moment still find them."""
    if item_ids:
        await connection.execute(SQL["retract_items"], owner_id, list(item_ids))


async def erase_items(connection: Connection, owner_id: OwnerId, item_ids: Sequence[UUID]) -> None:
    """Removes items for good, with their postings and their vectors in every space."""
    if not item_ids:
        return
    await lock_vectors(connection, owner_id)
    places = await connection.fetchval(SQL["erase_items"], owner_id, list(item_ids))
    if not places:
        return
    await take_numbers(connection, owner_id, "rewrite", 1)
    await postings.erase(connection, owner_id, places)
    for space in await list_spaces(connection):
        await erase_vectors(connection, owner_id, space, places)


async def places_of(
    connection: Connection, owner_id: OwnerId, item_ids: Sequence[UUID]
) -> dict[UUID, list[int]]:
    """The places of each item's units, in their order; items that aren't indexed are left out."""
    rows = await connection.fetch(SQL["list_places"], owner_id, list(item_ids))
    return {row["item_id"]: row["places"] for row in rows}


async def unembedded(
    connection: Connection, owner_id: OwnerId, limit: int, but: Sequence[int] = ()
) -> list[PendingItem]:
    """Units without a vector in the active space, at most `limit`, in the order of their places.

    Those at the places of `but` are left out: somebody sees to them already.
    The text of a message begins with its speaker where that is a name: who says "I" is half
    of what it means, but "user: " says nothing. The first passage of a long message is
    embedded with what follows it, as far as a model reads: so it stands for the whole.
    """
    rows = await connection.fetch(SQL["list_unembedded"], owner_id, limit, _OPENING_CHARS, but)
    return [PendingItem(row["place"], row["kind"], row["text"], row["item_id"]) for row in rows]


async def still_there(
    connection: Connection, owner_id: OwnerId, items: Sequence[PendingItem]
) -> set[int]:
    """The places that hold the same items as when these were read.

    A user who was erased and came again has others at the same places. Needs `lock_vectors`.
    """
    rows = await connection.fetch(
        SQL["list_same"],
        owner_id,
        [item.place for item in items],
        [item.item_id for item in items],
    )
    return {row["place"] for row in rows}


async def count_unembedded(connection: Connection, owner_id: OwnerId) -> int:
    """How many units have no vector in the active space yet."""
    count: int = await connection.fetchval(SQL["count_unembedded"], owner_id)
    return count
