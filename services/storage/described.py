"""Units in full: what a ranking knows of the few that it was narrowed down to, as columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

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
) -> Described:
    """The units at these places, in their order; those that are gone are left out."""
    row = await connection.fetchrow(in_space(SQL["describe"], space), owner_id, places)
    if row is None:
        raise AssertionError("an aggregate has a row")
    packed = row["item_ids"] or b""
    vectors, stored = _vectors(row["vectors"], row["embedded"], space.dims)
    similarities = np.full(len(vectors), np.nan)
    if embedding is not None:
        similarities[stored] = _cosines(vectors[stored], embedding)
    return Described(
        places=_numbers(row["places"], ">i8"),
        item_ids=[packed[at : at + 16] for at in range(0, len(packed), 16)],
        memory_types=row["memory_types"] or (),
        similarities=similarities,
        lengths=_numbers(row["lengths"], ">i4"),
        speakers=row["speakers"] or (),
        traits=_numbers(row["traits"], ">i2"),
        start_offsets=_numbers(row["starts"], ">i4"),
        end_offsets=_numbers(row["ends"], ">i4"),
        event_times=_numbers(row["events"], ">i8"),
        creation_times=_numbers(row["creations"], ">i8"),
        vectors=vectors,
    )


def _numbers(packed: bytes | None, form: str) -> Numbers:
    return np.frombuffer(packed or b"", form).astype(np.int64)


def _vectors(
    packed: bytes | None, embedded: bytes | None, dims: int
) -> tuple[Vectors, NDArray[np.intp]]:
    """The vectors of all units, zeros where there is none, and which units have one."""
    flags = np.frombuffer(embedded or b"", np.uint8)
    stored = np.flatnonzero(flags)
    vectors = np.zeros((len(flags), dims), np.float32)
    halves = np.frombuffer(packed or b"", np.dtype((">f2", dims + 2)))[:, 2:]
    # numpy widens half floats of the processor's own byte order faster.
    vectors[stored] = halves.astype(np.float16)
    return vectors, stored


def _cosines(vectors: Vectors, embedding: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(embedding)
    return np.asarray(vectors @ embedding.astype(np.float32) / lengths, np.float32)
