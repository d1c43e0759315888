"""Codes against distances counted bit by bit."""

import numpy as np
import pytest
from numpy.typing import NDArray

from services.runtime.ids import OwnerId, new_id
from services.storage.codes import (
    DEFAULT_SHORTLIST,
    Codes,
    SegmentCache,
    code_words,
    codes_of,
    nearest,
    positions,
    sign_bits,
)
from tests.conftest import TEST_SPACE

OUT = 65_535
Floats = NDArray[np.float32]


def some_codes(rng: np.random.Generator, count: int, dims: int) -> tuple[Codes, Floats]:
    vectors = rng.normal(size=(count, dims)).astype(np.float32)
    places = np.sort(rng.choice(10 * count, count, replace=False)).astype(np.int64)
    packed = codes_of(places.astype(">i8").tobytes(), sign_bits(vectors).tobytes(), dims)
    return packed, vectors


@pytest.mark.parametrize("dims", [1, 8, 63, 64, 65, 384, 1000])
def test_codes_are_the_signs(dims: int) -> None:
    rng = np.random.default_rng(dims)
    vectors = rng.normal(size=(9, dims)).astype(np.float32)
    vectors[0, 0] = 0.0  # is not above zero
    bits = np.unpackbits(sign_bits(vectors), axis=1)
    assert bits.shape == (9, 64 * code_words(dims))
    assert (bits[:, :dims] == (vectors > 0)).all()
    assert not bits[:, dims:].any()


def nearest_by_hand(
    places: NDArray[np.int64], vectors: Floats, query: Floats, count: int, shortlist: int
) -> list[int]:
    signs = vectors > 0
    differing = (signs != (query > 0)).sum(axis=1)
    close = np.lexsort((places, differing))[: max(count, shortlist)]
    products = signs[close].astype(np.float64) @ query.astype(np.float64)
    found: list[int] = places[close[np.argsort(-products)][:count]].tolist()
    return found


@pytest.mark.parametrize(("count", "dims"), [(1, 5), (700, 384), (40_000, 70)])
@pytest.mark.parametrize("shortlist", [1, 90])
def test_the_nearest_differ_little_and_agree_most(count: int, dims: int, shortlist: int) -> None:
    rng = np.random.default_rng(count)
    codes, vectors = some_codes(rng, count, dims)
    query = rng.normal(size=dims).astype(np.float32)
    found = nearest([codes], query, 25, shortlist=shortlist)
    assert found.places.tolist() == nearest_by_hand(codes.places, vectors, query, 25, shortlist)
    differing = ((vectors > 0) != (query > 0)).sum(axis=1)
    assert found.distances_of(codes.places).tolist() == differing.tolist()
    assert found.distances_of(found.places).tolist() == found.distances.tolist()
    assert found.distances_of(np.array([-5, 10**15])).tolist() == [OUT, OUT]


def test_segments_are_searched_as_one() -> None:
    rng = np.random.default_rng(5)
    codes, _ = some_codes(rng, 5000, 384)
    query = rng.normal(size=384).astype(np.float32)
    parts = [
        Codes(codes.places[at], codes.words[:, at])
        for at in np.array_split(rng.permutation(5000), 7)
        for at in [np.sort(at)]
    ]
    whole = nearest([codes], query, 400)
    split = nearest([*parts, codes_of(b"", b"", 384)], query, 400)
    assert whole.places.tolist() == split.places.tolist()
    assert whole.distances.tolist() == split.distances.tolist()


@pytest.mark.parametrize("allowing", [9000, 300])
def test_only_what_may_be_found_is(allowing: int) -> None:
    rng = np.random.default_rng(6)
    codes, vectors = some_codes(rng, 3000, 128)
    query = rng.normal(size=128).astype(np.float32)
    allowed = np.sort(rng.choice(30_000, allowing, replace=False)).astype(np.int64)
    excluded = np.sort(rng.choice(30_000, 9000, replace=False)).astype(np.int64)
    spans = [(1000, 7999), (20_000, 26_000)]
    found = nearest([codes], query, 50, spans=spans, allowed=allowed, excluded=excluded)
    left = [
        place
        for place in (set(codes.places.tolist()) & set(allowed.tolist())) - set(excluded.tolist())
        if 1000 <= place <= 7999 or 20_000 <= place <= 26_000
    ]
    at, _ = positions(codes.places, np.sort(left))
    assert found.places.tolist() == nearest_by_hand(
        codes.places[at], vectors[at], query, 50, DEFAULT_SHORTLIST
    )
    everything = nearest([codes], query, 10_000, spans=spans, allowed=allowed, excluded=excluded)
    assert sorted(everything.places.tolist()) == sorted(left)
    nothing = nearest([codes], query, 5, allowed=np.empty(0, np.int64))
    assert len(nothing.places) == 0
    assert len(nearest([], query, 5).places) == 0


def test_the_ends_of_the_ranges_belong_to_them() -> None:
    vectors = np.ones((4, 64), np.float32)
    places = np.array([2**61 - 1, 2**61, 2**63 - 2, 2**63 - 1], np.int64)
    codes = codes_of(places.astype(">i8").tobytes(), sign_bits(vectors).tobytes(), 64)

    def found(*spans: tuple[int, int], excluded: list[int] | None = None) -> list[int]:
        out = None if excluded is None else np.array(excluded, np.int64)
        near = nearest([codes], vectors[0], 9, spans=spans, excluded=out)
        places_found: list[int] = near.places.tolist()
        return places_found

    assert found((0, 2**61 - 1)) == [2**61 - 1]
    assert found((2**61, 2**63 - 1)) == places[1:].tolist()
    assert found((0, 2**63 - 1), excluded=[0, 2**61, 2**63 - 1]) == [2**61 - 1, 2**63 - 2]


def test_positions_are_those_of_what_is_there() -> None:
    within, wanted = np.array([2, 4, 6]), np.array([1, 6, 2, 9])
    at, there = positions(within, wanted)
    assert (at.tolist(), there.tolist()) == ([2, 0], [1, 2])
    assert [len(each) for each in positions(np.empty(0, np.int64), wanted)] == [0, 0]


def test_the_cache_keeps_what_was_used_last_within_its_bounds() -> None:
    owner, space = OwnerId(new_id()), 1
    codes, _ = some_codes(np.random.default_rng(1), 100, TEST_SPACE.dims)
    cache = SegmentCache(max_bytes=3 * codes.nbytes)
    ids = [new_id() for _ in range(4)]
    for segment_id in ids[:3]:
        cache.put(owner, space, segment_id, codes)
    assert cache.get(owner, space, ids[0]) is codes
    cache.put(owner, space, ids[3], codes)
    assert [cache.get(owner, space, each) is codes for each in ids] == [True, False, True, True]
    cache.put(owner, space, ids[3], codes)
    assert cache.nbytes == 3 * codes.nbytes
    assert cache.get(OwnerId(new_id()), space, ids[0]) is None
    assert cache.get(owner, 2, ids[0]) is None
    small = SegmentCache(max_bytes=1)
    small.put(owner, space, ids[0], codes)
    assert (small.nbytes, small.get(owner, space, ids[0])) == (0, None)
