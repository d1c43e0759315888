"""Units in full: what a ranking knows of the few that it was narrowed down to, as columns."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import numpy as np
from numpy.typing import NDArray

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.codes import Places
from services.storage.embedding_spaces import in_space
from services.storage.foundation import EmbeddingSpace
from services.storage.places import CHUNK, MEMORY, MESSAGE, PLACELESS, kind_of
from services.storage.queries import load
from services.storage.search_items import Kind

SQL = load("search")
Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]

Epoch: TypeAlias = tuple[int | None, int | None]
"""Of a user: changes whenever something of the user's is erased or replaced."""

DEFAULT_CACHE_BYTES = 32 * 2**20
"""About 33,000 units with vectors of 384 dimensions."""

NO_TIME = np.iinfo(np.int64).min
"""Stands for a time that isn't known."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_SECONDS = _EPOCH.timestamp()
_KINDS: Mapping[int, Kind] = {
    MESSAGE: "message",
    MEMORY: "memory",
    CHUNK: "chunk",
    PLACELESS: "memory",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit in full. `similarity` is the cosine, None without a vector or without an embedding."""

    place: int
    item_id: UUID
    kind: Kind
    memory_type: str | None
    similarity: float | None
    length: int
    speaker: str
    traits: int
    start_offset: int
    end_offset: int
    event_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Described:
    """Units in full as columns, which are what `Candidate` has.

    `item_ids` are 16 bytes each. Times are microseconds since 2000 (UTC), NO_TIME for none.
    `similarities` are NaN without a vector or an embedding; `vectors` of shape (units, dims)
    are zeros without one.
    """

    places: Places
    item_ids: Sequence[bytes]
    memory_types: Sequence[str | None]
    similarities: NDArray[np.float64]
    lengths: Numbers
    speakers: Sequence[str]
    traits: Numbers
    start_offsets: Numbers
    end_offsets: Numbers
    event_times: Numbers
    creation_times: Numbers
    vectors: Vectors

    @property
    def units(self) -> list[Candidate]:
        """All of them as objects, which takes longer than the rest of a ranking."""
        return [self.unit(at) for at in range(len(self.places))]

    @property
    def event_seconds(self) -> NDArray[np.float64]:
        """When each happened or was said, in seconds since 1970; NaN where that isn't known."""
        seconds = self.event_times / 1e6 + _EPOCH_SECONDS
        return np.where(self.event_times == NO_TIME, np.nan, seconds)

    def leading(self, count: int) -> "Described":
        """The first so many of them."""
        return Described(*(getattr(self, each.name)[:count] for each in fields(self)))

    def unit(self, at: int) -> Candidate:
        """One of them."""
        similarity = float(self.similarities[at])
        place, event = int(self.places[at]), int(self.event_times[at])
        return Candidate(
            place=place,
            item_id=UUID(bytes=self.item_ids[at]),
            kind=_KINDS[kind_of(place)],
            memory_type=self.memory_types[at],
            similarity=None if np.isnan(similarity) else similarity,
            length=int(self.lengths[at]),
            speaker=self.speakers[at],
            traits=int(self.traits[at]),
            start_offset=int(self.start_offsets[at]),
            end_offset=int(self.end_offsets[at]),
            event_at=None if event == NO_TIME else _EPOCH + timedelta(microseconds=event),
            created_at=_EPOCH + timedelta(microseconds=int(self.creation_times[at])),
        )


async def describe(
    connection: Connection,
    owner_id: OwnerId,
    space: EmbeddingSpace,
    places: Sequence[int],
    embedding: NDArray[np.floating[Any]] | None,
    known: "Units | None" = None,
) -> Described:
    """The units at these places, in their order; those that are gone are left out.

    Those that are among `known` are not read again, the others are known from then on.
    """
    units = Units(space.dims) if known is None else known
    missing = units.missing(places)
    if missing:
        row = await connection.fetchrow(in_space(SQL["describe"], space), owner_id, missing)
        if row is None:
            raise AssertionError("an aggregate has a row")
        units.add(_rows(row), _halves(row, space.dims), row["memory_types"], row["speakers"])
    return units.described(places, embedding)


_ROW = np.dtype(
    [
        ("place", np.int64),
        ("item_id", "V16"),
        ("length", np.int64),
        ("traits", np.int64),
        ("start", np.int64),
        ("end", np.int64),
        ("event", np.int64),
        ("creation", np.int64),
        ("embedded", np.bool_),
    ]
)
_NUMBERS: Mapping[str, tuple[str, str]] = {
    "place": ("places", ">i8"),
    "length": ("lengths", ">i4"),
    "traits": ("traits", ">i2"),
    "start": ("starts", ">i4"),
    "end": ("ends", ">i4"),
    "event": ("events", ">i8"),
    "creation": ("creations", ">i8"),
    "embedded": ("embedded", "u1"),
}


def uncounted(_: int) -> None:
    """For units that no cache keeps."""


class Units:
    """Units that were read, as columns that grow.

    A unit never changes while it is there, but that it gets its vector: until then it is read
    anew each time. Vectors are half floats, zeros where there is none.
    """

    def __init__(self, dims: int, grown: Callable[[int], None] = uncounted) -> None:
        """`grown` is told how many bytes more they take."""
        self.grown = grown
        self._at: dict[int, int] = {}
        self._unembedded: set[int] = set()
        self._rows = np.empty(0, _ROW)
        self._vectors = np.empty((0, dims), np.float16)
        self._memory_types: list[str | None] = []
        self._speakers: list[str] = []

    def __len__(self) -> int:
        return len(self._at)

    @property
    def nbytes(self) -> int:
        """About how much memory they take."""
        return self._rows.nbytes + self._vectors.nbytes + 150 * len(self._at)

    def missing(self, places: Sequence[int]) -> list[int]:
        """Those of the places that are to be read."""
        return [place for place in places if place not in self._at or place in self._unembedded]

    def add(
        self,
        rows: NDArray[np.void],
        vectors: NDArray[np.float16],
        memory_types: Sequence[str | None] | None,
        speakers: Sequence[str] | None,
    ) -> None:
        """Takes in what another search may have brought meanwhile: that is passed over."""
        self._embed(rows, vectors)
        new = [at for at, place in enumerate(rows["place"].tolist()) if place not in self._at]
        if not new or memory_types is None or speakers is None:
            return
        held, before = len(self._at), self.nbytes
        if held + len(new) > len(self._rows):
            room = max(2 * held, held + len(new)) - len(self._rows)
            self._rows = np.concatenate([self._rows, np.empty(room, _ROW)])
            wider = np.empty((room, self._vectors.shape[1]), np.float16)
            self._vectors = np.concatenate([self._vectors, wider])
        self._rows[held : held + len(new)] = rows[new]
        self._vectors[held : held + len(new)] = vectors[new]
        self._memory_types += [memory_types[at] for at in new]
        # Speakers are few: each name is kept once.
        self._speakers += [sys.intern(speakers[at]) for at in new]
        places = rows["place"][new].tolist()
        self._at.update(zip(places, range(held, held + len(new)), strict=True))
        self._unembedded.update(rows["place"][new][~rows["embedded"][new]].tolist())
        self.grown(self.nbytes - before)

    def _embed(self, rows: NDArray[np.void], vectors: NDArray[np.float16]) -> None:
        """Gives their vectors to those that had none yet."""
        for at in np.flatnonzero(rows["embedded"]).tolist() if self._unembedded else ():
            place = int(rows["place"][at])
            if place in self._unembedded:
                self._unembedded.remove(place)
                self._rows[self._at[place]] = rows[at]
                self._vectors[self._at[place]] = vectors[at]

    def described(
        self, places: Sequence[int], embedding: NDArray[np.floating[Any]] | None
    ) -> Described:
        """Those of the places that are among them, in their order."""
        at = [found for place in places if (found := self._at.get(place)) is not None]
        rows = self._rows[at]
        vectors = self._vectors[at].astype(np.float32)
        similarities = np.full(len(at), np.nan)
        if embedding is not None:
            stored = np.flatnonzero(rows["embedded"])
            similarities[stored] = _cosines(vectors[stored], embedding)
        packed = rows["item_id"].tobytes()
        return Described(
            places=rows["place"],
            item_ids=[packed[start : start + 16] for start in range(0, len(packed), 16)],
            memory_types=[self._memory_types[each] for each in at],
            similarities=similarities,
            lengths=rows["length"],
            speakers=[self._speakers[each] for each in at],
            traits=rows["traits"],
            start_offsets=rows["start"],
            end_offsets=rows["end"],
            event_times=rows["event"],
            creation_times=rows["creation"],
            vectors=vectors,
        )


def _rows(row: asyncpg.Record) -> NDArray[np.void]:
    packed = row["item_ids"] or b""
    rows = np.empty(len(packed) // 16, _ROW)
    rows["item_id"] = np.frombuffer(packed, "V16")
    for name, (column, form) in _NUMBERS.items():
        rows[name] = np.frombuffer(row[column] or b"", form)
    return rows


def _halves(row: asyncpg.Record, dims: int) -> NDArray[np.float16]:
    """The vectors of all units, zeros where there is none."""
    flags = np.frombuffer(row["embedded"] or b"", np.uint8)
    vectors = np.zeros((len(flags), dims), np.float16)
    sent = np.frombuffer(row["vectors"] or b"", np.dtype((">f2", dims + 2)))[:, 2:]
    vectors[np.flatnonzero(flags)] = sent
    return vectors


def _cosines(vectors: Vectors, embedding: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(embedding)
    return np.asarray(vectors @ embedding.astype(np.float32) / lengths, np.float32)


class UnitCache:
    """The units that were read lately, of many users, within `max_bytes`: those used last stay.

    What is kept of a user is of one epoch: it is forgotten when anything of the user's has
    been erased or replaced, for then a place may hold something else. Used from one event loop.
    """

    def __init__(self, max_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[OwnerId, int], tuple[Epoch, Units]] = OrderedDict()
        self._bytes = 0

    def of(self, owner_id: OwnerId, space: EmbeddingSpace, epoch: Epoch) -> Units:
        """What is known of a user's units."""
        key = owner_id, space.space_id
        known_epoch, units = self._kept.get(key, (None, None))
        if units is None or known_epoch != epoch:
            if units is not None:
                self._forget(units)
            units = Units(space.dims, self._grown)
            self._kept[key] = epoch, units
        self._kept.move_to_end(key)
        return units

    @property
    def nbytes(self) -> int:
        """How much memory the kept units take."""
        return self._bytes

    def _grown(self, by: int) -> None:
        self._bytes += by
        while self._bytes > self._max_bytes:
            _, (_, units) = self._kept.popitem(last=False)
            self._forget(units)

    def _forget(self, units: Units) -> None:
        self._bytes -= units.nbytes
        units.grown = uncounted
