"""Codes: the signs of vectors' values, by which the nearest of many are found cheaply.

A bit a dimension: that two vectors are near shows in how few of their signs differ. A
search so compares the query with every code of a user, then the query's values with the
signs of the thousand that differ least, and reads the vectors of but a few hundred. (Real
sentences, 10,000 of them: the 20 nearest are all among those 400, and .999 of them among 200.)
"""

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.runtime.ids import OwnerId
from services.runtime.machine import usable_cores

Places = NDArray[np.int64]

DEFAULT_CACHE_BYTES = 96 * 2**20
DEFAULT_SHORTLIST = 1000

_WORD_BITS = 64
# Codes compared at a time: what they need stays in the processor's cache.
_CHUNK = 8192
# Codes unpacked at a time, likewise.
_UNPACKED = 256
# The differing signs of so many words are counted in one byte.
_BYTE_WORDS = 3
# Parts with less codes are joined: each costs some dozens of calls, whatever its size.
_SMALL = 4096
# So many codes (some 3 ms on one core) are compared on all cores.
_SHARED_OUT = 200_000
# Picking one code out of many takes as long as comparing this many in a row.
_PICKING = 32
# A distance beyond every real one: dimensions are at most 4,000.
_OUT = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True)
class Codes:
    """Some codes of one user: `places`, sorted, and `words` of shape (words a code, codes)."""

    places: Places
    words: NDArray[np.uint64]

    @property
    def nbytes(self) -> int:
        """How much memory they take."""
        return self.places.nbytes + self.words.nbytes


@dataclass(frozen=True, slots=True)
class Scanned:
    """The distances of codes, one for each of the sorted places: how many signs differ.

    65,535 stands for a place that was left out.
    """

    codes: Codes
    distances: NDArray[np.uint16]

    def within(self, first: int, last: int) -> "Scanned":
        """Those of the places from `first` to `last` (inclusive)."""
        start, end = _range(self.codes.places, first, last)
        part = Codes(self.codes.places[start:end], self.codes.words[:, start:end])
        return Scanned(part, self.distances[start:end])


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest codes, the nearest first, and their distances; and all that were compared."""

    places: Places
    distances: NDArray[np.uint16]
    scanned: tuple[Scanned, ...]

    def distances_of(self, places: Places) -> NDArray[np.uint16]:
        """The distance of each place; 65,535 for one without a code or left out."""
        found = np.full(len(places), _OUT, np.uint16)
        for each in self.scanned:
            at, there = positions(each.codes.places, places)
            found[there] = each.distances[at]
        return found


def code_words(dims: int) -> int:
    """How many words of 64 bits a code of `dims` dimensions takes."""
    return -(-dims // _WORD_BITS)


def sign_bits(vectors: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """The codes of vectors (n, dims) as bytes (n, 8 × words): bit i, from the left, is value i > 0.

    Padded with zeros to whole words.
    """
    bits = np.packbits(vectors > 0, axis=1)
    return np.pad(bits, ((0, 0), (0, code_words(vectors.shape[1]) * 8 - bits.shape[1])))


def codes_of(places: bytes, codes: bytes, dims: int) -> Codes:
    """Codes as they are stored: big-endian int64 places, and the bytes of `sign_bits`."""
    words = np.frombuffer(codes, np.uint64).reshape(-1, code_words(dims))
    return Codes(
        np.frombuffer(places, ">i8").astype(np.int64), np.ascontiguousarray(words.transpose())
    )


def positions(within: Places, wanted: Places) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where in `within` (sorted) the `wanted` stand, and which of the wanted those are."""
    at = np.searchsorted(within, wanted)
    there = np.flatnonzero(at < len(within))
    there = there[within[at[there]] == wanted[there]]
    return at[there], there


def nearest(
    codes: Sequence[Codes],
    embedding: NDArray[np.floating[Any]],
    count: int,
    *,
    shortlist: int = DEFAULT_SHORTLIST,
    spans: Sequence[tuple[int, int]] | None = None,
    allowed: Places | None = None,
    excluded: Places | None = None,
) -> Nearest:
    """The `count` codes nearest to an embedding, fewer if there are no more.

    Of those whose signs differ least, the ones whose signs, as 1 and 0, have the largest
    scalar product with the embedding.

    Args:
        codes: All of them, each place in one at most.
        embedding: As many values as the codes' space has dimensions.
        count: How many to find, at least 1.
        shortlist: So many that differ least are compared by product; `count` at least.
        spans: The ranges of places (inclusive) to look at, apart and in order; None: all.
        allowed: The only places to look at, sorted; None: all.
        excluded: Places to leave out, sorted.
    """
    scanned = scan(codes, embedding, spans=spans, allowed=allowed, excluded=excluded)
    close, distances = _least(scanned, max(count, shortlist))
    order = np.lexsort((close.places, -_products(close.words, embedding)))[:count]
    return Nearest(close.places[order], distances[order], scanned)


def scan(
    codes: Sequence[Codes],
    embedding: NDArray[np.floating[Any]],
    *,
    spans: Sequence[tuple[int, int]] | None = None,
    allowed: Places | None = None,
    excluded: Places | None = None,
) -> tuple[Scanned, ...]:
    """In how many signs each code differs from an embedding. Arguments as for `nearest`.

    Small parts come back as one: what is looked up in them later is looked up once.
    """
    query = np.ascontiguousarray(sign_bits(embedding[np.newaxis])[0]).view(np.uint64)
    parts = [part for each in codes for part in _within(each, spans) if len(part.places)]
    parts = _joined(parts)
    if sum(len(part.places) for part in parts) < _SHARED_OUT:
        return tuple(_scan(part, query, allowed, excluded) for part in parts)
    return tuple(_scanners().map(lambda part: _scan(part, query, allowed, excluded), parts))


@cache
def _scanners() -> ThreadPoolExecutor:
    """A thread a core: comparing lets go of the interpreter. Kept from search to search."""
    return ThreadPoolExecutor(usable_cores(), "codes")


def _joined(parts: list[Codes]) -> list[Codes]:
    """The same codes, all parts of less than _SMALL in one."""
    small = [part for part in parts if len(part.places) < _SMALL]
    if len(small) < 2:
        return parts
    places = np.concatenate([part.places for part in small])
    order = places.argsort(kind="stable")
    words = np.concatenate([part.words for part in small], axis=1)
    whole = Codes(places.take(order), words.take(order, axis=1))
    return [*(part for part in parts if len(part.places) >= _SMALL), whole]


def _within(codes: Codes, spans: Sequence[tuple[int, int]] | None) -> Sequence[Codes]:
    if spans is None:
        return (codes,)
    if not len(codes.places):
        return ()
    lowest, highest = int(codes.places[0]), int(codes.places[-1])
    parts = []
    for first, last in spans:
        if first <= lowest and highest <= last:
            return (codes,)
        if first <= highest and lowest <= last:
            start, end = _range(codes.places, first, last)
            parts.append(Codes(codes.places[start:end], codes.words[:, start:end]))
    return parts


def _range(places: Places, first: int, last: int) -> tuple[int, int]:
    """Where the places from `first` to `last` (inclusive) begin and end."""
    start = np.searchsorted(places, np.int64(first))
    return int(start), int(np.searchsorted(places, np.int64(last), side="right"))


def _scan(
    codes: Codes, query: NDArray[np.uint64], allowed: Places | None, excluded: Places | None
) -> Scanned:
    at = None if allowed is None else positions(codes.places, allowed)[0]
    if at is not None and len(at) * _PICKING < len(codes.places):
        codes, at = Codes(codes.places[at], codes.words[:, at]), None
        if not len(codes.places):
            return Scanned(codes, np.empty(0, np.uint16))
    distances = _distances(codes.words, query)
    if at is not None:
        left_out = np.ones(len(distances), bool)
        left_out[at] = False
        distances[left_out] = _OUT
    if excluded is not None and len(excluded):
        start, end = _range(excluded, int(codes.places[0]), int(codes.places[-1]))
        at, _ = positions(codes.places, excluded[start:end])
        distances[at] = _OUT
    return Scanned(codes, distances)


def _distances(words: NDArray[np.uint64], query: NDArray[np.uint64]) -> NDArray[np.uint16]:
    count, total = words.shape
    distances = np.empty(total, np.uint16)
    different = np.empty((count, min(total, _CHUNK)), np.uint64)
    counted = np.empty(different.shape, np.uint8)
    asked = query[:, np.newaxis]
    for start in range(0, total, _CHUNK):
        end = min(start + _CHUNK, total)
        differing, bits = different[:, : end - start], counted[:, : end - start]
        np.bitwise_xor(words[:, start:end], asked, out=differing)
        np.bitwise_count(differing, out=bits)
        _add_up(bits, distances[start:end])
    return distances


def _add_up(bits: NDArray[np.uint8], into: NDArray[np.uint16]) -> None:
    """The sum of the rows, which it uses up: as bytes as long as they hold it, which is faster."""
    for row in range(len(bits)):
        if row % _BYTE_WORDS:
            np.add(bits[row - row % _BYTE_WORDS], bits[row], out=bits[row - row % _BYTE_WORDS])
    sums = bits[::_BYTE_WORDS]
    if len(sums) == 1:
        into[:] = sums[0]
        return
    np.add(sums[0], sums[1], out=into, dtype=np.uint16)
    for each in sums[2:]:
        np.add(into, each, out=into)


def _least(scanned: Sequence[Scanned], count: int) -> tuple[Codes, NDArray[np.uint16]]:
    """The `count` codes that differ least, equals by place; as integers they part at a bound."""
    if not scanned:
        return Codes(np.empty(0, np.int64), np.empty((0, 0), np.uint64)), np.empty(0, np.uint16)
    bound = _bound([each.distances for each in scanned], count)
    close = [(each, (each.distances <= bound).nonzero()[0]) for each in scanned]
    places = np.concatenate([each.codes.places.take(at) for each, at in close])
    words = np.concatenate([each.codes.words.take(at, axis=1) for each, at in close], axis=1)
    distances = np.concatenate([each.distances.take(at) for each, at in close])
    order = np.lexsort((places, distances))[:count]
    return Codes(places.take(order), words.take(order, axis=1)), distances.take(order)


def _bound(distances: Sequence[NDArray[np.uint16]], count: int) -> int:
    """The `count`-th lowest distance; the highest real one if there are no more."""
    if sum(map(len, distances)) <= count:
        return _OUT - 1
    # The lowest of all are among the lowest of each.
    lowest = [
        each if len(each) <= count else np.partition(each, count - 1)[:count] for each in distances
    ]
    every = lowest[0] if len(lowest) == 1 else np.concatenate(lowest)
    return min(_OUT - 1, int(np.partition(every, count - 1)[count - 1]))


def _products(
    words: NDArray[np.uint64], embedding: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """The scalar product of the embedding with each code, as far as its signs tell."""
    rows = np.ascontiguousarray(words.transpose()).view(np.uint8)
    products = np.empty(len(rows), np.float32)
    values = embedding.astype(np.float32)
    for start in range(0, len(rows), _UNPACKED):
        part = slice(start, start + _UNPACKED)
        signs = np.unpackbits(rows[part], axis=1, count=len(values))
        np.matmul(signs.astype(np.float32), values, out=products[part])
    return products


class SegmentCache:
    """The codes of segments that were read lately, within `max_bytes`: those used last stay.

    A segment never changes, so what is kept is never stale; which segments stand is read
    anew by every search. Used from one event loop.
    """

    def __init__(self, max_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[OwnerId, int, UUID], Codes] = OrderedDict()
        self._bytes = 0

    def get(self, owner_id: OwnerId, space_id: int, segment_id: UUID) -> Codes | None:
        """A segment's codes, or None if they aren't kept."""
        codes = self._kept.get((owner_id, space_id, segment_id))
        if codes is not None:
            self._kept.move_to_end((owner_id, space_id, segment_id))
        return codes

    def put(self, owner_id: OwnerId, space_id: int, segment_id: UUID, codes: Codes) -> None:
        """Keeps a segment's codes, and forgets those that were used longest ago for them."""
        known = self._kept.pop((owner_id, space_id, segment_id), None)
        self._bytes += codes.nbytes - (known.nbytes if known else 0)
        self._kept[owner_id, space_id, segment_id] = codes
        while self._bytes > self._max_bytes:
            _, forgotten = self._kept.popitem(last=False)
            self._bytes -= forgotten.nbytes

    @property
    def nbytes(self) -> int:
        """How much memory the kept codes take."""
        return self._bytes
