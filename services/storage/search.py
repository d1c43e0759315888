"""The read side of the search index: what a ranking works with, in few round trips.

`gather` reads everything by which units are chosen: the postings of the query's terms and
the codes of the vectors. `describe` (in `described`) reads the few that were chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import numpy as np
from numpy.typing import NDArray

from services.runtime.database import Connection
from services.runtime.errors import Unavailable
from services.runtime.ids import OwnerId
from services.storage import postings
from services.storage.codes import Codes, Places, SegmentCache, codes_of, positions
from services.storage.described import Candidate, Described, Epoch, UnitCache, describe
from services.storage.embedding_spaces import in_space
from services.storage.foundation import EmbeddingSpace
from services.storage.places import CHUNK, MEMORY, MESSAGE, PLACELESS, kind_range
from services.storage.queries import load
from services.storage.search_items import Kind

__all__ = [
    "Candidate",
    "Described",
    "Filter",
    "Gathered",
    "Postings",
    "UnitCache",
    "describe",
    "gather",
]

SQL = load("search")

MOST_POSTINGS = 80_000
"""So many postings are read for a query, those of its rarest terms: all of a term's or none. What
users with far more units miss by that is what hardly tells one unit from another."""

_PLACE_KINDS: dict[Kind, tuple[int, ...]] = {
    "message": (MESSAGE,),
    "memory": (MEMORY, PLACELESS),
    "chunk": (CHUNK,),
}
# A reader that isn't isolated may see a segment listed that has been merged a moment later.
_READS = 5


@dataclass(frozen=True, slots=True)
class Filter:
    """What may be found: all of it must hold, each interval is half-open, None is open.

    `memory_types` chooses among memories, `file_types` and `category` among chunks; they
    leave items of other kinds alone. `created_*` is when a thing was first stored,
    `as_of` the moment whose view is searched.
    """

    kinds: tuple[Kind, ...] = ("memory",)
    memory_types: tuple[str, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    event_after: datetime | None = None
    event_before: datetime | None = None
    as_of: datetime | None = None
    file_types: tuple[str, ...] = ()
    category: str = ""

    @property
    def narrows(self) -> bool:
        """Whether it chooses among what stands of its kinds."""
        return self != Filter(kinds=self.kinds, as_of=self.as_of)

    @property
    def place_kinds(self) -> tuple[int, ...]:
        """The kinds of places that its kinds take, in order."""
        return tuple(sorted({number for name in self.kinds for number in _PLACE_KINDS[name]}))

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The ranges of places (inclusive) that its kinds take, apart and in order."""
        spans: list[tuple[int, int]] = []
        for kind in self.place_kinds:
            first, last = kind_range(kind)
            if spans and spans[-1][1] + 1 == first:
                first = spans.pop()[0]
            spans.append((first, last))
        return tuple(spans)


@dataclass(frozen=True, slots=True)
class Postings:
    """Where the query's terms occur, one entry for each term of each unit.

    `term` is the term's position in the query. Units that do not stand, or are of other
    kinds, are not among them; those that a filter leaves out are: they count.
    """

    term: NDArray[np.int32]
    place: Places
    frequency: NDArray[np.int32]
    length: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that a user's units are chosen by.

    `items` and `total_length` are those of the collection: all standing units of the kinds
    asked for, whatever else is filtered. `holders` says for each term how many of them hold
    it, also of terms whose postings are too many to be among those read. `allowed` are the
    only places that may be hits (None: all), `excluded` are not to be: both sorted, for
    `codes.nearest`, with `spans`. Postings hold no excluded place. What is known of the
    user's units is of the `epoch`. `speakers` are those of the last messages: names or roles.
    """

    postings: Postings
    holders: NDArray[np.int64]
    items: int
    total_length: int
    codes: tuple[Codes, ...]
    spans: tuple[tuple[int, int], ...]
    allowed: Places | None
    excluded: Places
    epoch: Epoch = (None, None)
    speakers: tuple[str, ...] = ()


async def gather(
    connection: Connection,
    owner_id: OwnerId,
    space: EmbeddingSpace,
    terms: Sequence[str],
    chosen: Filter,
    cache: SegmentCache,
    *,
    by_meaning: bool = True,
    most_postings: int = MOST_POSTINGS,
) -> Gathered:
    """Reads what the ranking of a query needs: two round trips, and one more for each of these.

    Segments that are not in the cache, a filter that narrows, a moment (`as_of`).

    Args:
        connection: A transaction of the user, `by_keys`. Isolated (repeatable read), all
            parts are of one moment.
        owner_id: The user.
        space: Whose codes are read.
        terms: The query's, each once.
        chosen: What may be found.
        cache: Keeps segments from search to search.
        by_meaning: Whether codes are read at all.
        most_postings: How many postings are read, unless those of the rarest term are more.
    """
    for _ in range(_READS):
        standing = await connection.fetchrow(in_space(SQL["standing"], space), owner_id, by_meaning)
        if standing is None:
            raise AssertionError("a SELECT without FROM has a row")
        codes = await _codes(connection, owner_id, space, standing, cache)
        if codes is not None:
            break
    else:
        raise Unavailable("the search index is being rewritten; try again", retry_after=0.1)
    excluded = _places(standing["retracted"])
    allowed = stood = None
    items, total_length = _collection(standing["sizes"], chosen.kinds)
    if chosen.as_of is not None:
        excluded = np.empty(0, np.int64)
        stood, items, total_length = await _stood(connection, owner_id, chosen)
        allowed = stood
    if chosen.narrows:
        allowed = await _allowed(connection, owner_id, chosen)
    held, holders = await _postings(connection, owner_id, terms, chosen.place_kinds, most_postings)
    held, holders = _masked(held, holders, stood, excluded)
    holders = np.minimum(holders, items)
    return Gathered(
        held, holders, items, total_length, codes, chosen.spans, allowed, excluded,
        (standing["incarnation"], standing["rewrites"]), tuple(standing["speakers"] or ()),
    )  # fmt: skip


async def _codes(
    connection: Connection,
    owner_id: OwnerId,
    space: EmbeddingSpace,
    standing: asyncpg.Record,
    cache: SegmentCache,
) -> tuple[Codes, ...] | None:
    """The segments that stand and the codes that are none yet; None if a segment is gone."""
    kept = {each: cache.get(owner_id, space.space_id, each) for each in standing["segments"] or ()}
    missing = [segment_id for segment_id, codes in kept.items() if codes is None]
    if missing:
        rows = await connection.fetch(in_space(SQL["get_segments"], space), owner_id, missing)
        for row in rows:
            codes = codes_of(row["places"], row["codes"], space.dims)
            cache.put(owner_id, space.space_id, row["segment_id"], codes)
            kept[row["segment_id"]] = codes
    single = codes_of(standing["places"] or b"", standing["codes"] or b"", space.dims)
    found = tuple(codes for codes in kept.values() if codes is not None)
    return (*found, single) if len(found) == len(kept) else None


def _collection(sizes: Sequence[int] | None, kinds: Sequence[Kind]) -> tuple[int, int]:
    """Items and their total length, of (messages, length, memories, length, chunks, length)."""
    if not sizes or sizes[0] is None:
        return 0, 0
    by_kind = {"message": sizes[0:2], "memory": sizes[2:4], "chunk": sizes[4:6]}
    chosen = [by_kind[kind] for kind in set(kinds)]
    return sum(int(items) for items, _ in chosen), sum(int(length) for _, length in chosen)


async def _stood(
    connection: Connection, owner_id: OwnerId, chosen: Filter
) -> tuple[Places, int, int]:
    """What stood at the moment asked for: the places, how many, and their total length."""
    row = await connection.fetchrow(SQL["stood"], owner_id, *_bounds(chosen.spans), chosen.as_of)
    if row is None:
        raise AssertionError("an aggregate has a row")
    return _places(row["places"]), row["items"], int(row["total_length"])


async def _allowed(connection: Connection, owner_id: OwnerId, chosen: Filter) -> Places:
    places = await connection.fetchval(
        SQL["allowed"],
        owner_id,
        *_bounds(chosen.spans),
        chosen.as_of,
        list(chosen.memory_types) or None,
        chosen.created_after,
        chosen.created_before,
        chosen.event_after,
        chosen.event_before,
        list(chosen.file_types) or None,
        chosen.category or None,
    )
    return _places(places)


async def _postings(
    connection: Connection,
    owner_id: OwnerId,
    terms: Sequence[str],
    kinds: Sequence[int],
    most: int,
) -> tuple[Postings, NDArray[np.int64]]:
    """The postings of the terms, and how many units hold each."""
    rows = await postings.read(connection, owner_id, terms, kinds, most)
    holders = np.zeros(len(terms), np.int64)
    for term, held, _ in rows:
        holders[term] = held
    read = [(term, packed) for term, _, packed in rows if packed is not None]
    every = np.frombuffer(b"".join([packed for _, packed in read]), postings.POSTING)
    sizes = [len(packed) // postings.POSTING.itemsize for _, packed in read]
    return Postings(
        np.repeat(np.array([term for term, _ in read], np.int32), sizes),
        every["place"].astype(np.int64),
        every["frequency"].astype(np.int32),
        every["length"].astype(np.int32),
    ), holders


def _masked(
    held: Postings, holders: NDArray[np.int64], stood: Places | None, excluded: Places
) -> tuple[Postings, NDArray[np.int64]]:
    """The postings of the units that stand, and how many of those hold each term.

    Of terms whose postings were not read some more may: it is not known which.
    """
    if stood is None and not len(excluded):
        return held, holders
    kept = np.ones(len(held.place), bool)
    if stood is not None:
        kept[:] = False
        kept[positions(stood, held.place)[1]] = True
    kept[positions(excluded, held.place)[1]] = False
    gone = np.bincount(held.term[~kept], minlength=len(holders))
    return Postings(
        held.term[kept], held.place[kept], held.frequency[kept], held.length[kept]
    ), holders - gone


def _bounds(spans: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [first for first, _ in spans], [last for _, last in spans]


def _places(packed: bytes | None) -> Places:
    return np.frombuffer(packed or b"", ">i8").astype(np.int64)
