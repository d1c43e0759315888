"""What the query's vector says of every unit and every thing, as far as codes tell it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from services.storage.codes import Places, Scanned
from services.vector.ranking.surroundings import ends_of
from services.vector.ranking.words import Indexes, runs, unrolled

Values = NDArray[np.float64]

_OUT = np.iinfo(np.uint16).max
# Of so many units of a part the middle one is found.
_SAMPLE = 4096
# Of so many units the middle one is half believed.
_FEW = 20
_NONE = np.empty(0, np.uint16)


@dataclass(frozen=True, slots=True)
class Ranges:
    """Of the units within each of several ranges of places: how many, how near.

    Both are estimates of cosines from codes; where `count` is 0 they are NaN. Where none holds
    several units they are one array.
    """

    count: NDArray[np.int64]
    best: Values
    mean: Values

    def part(self, at: slice | NDArray[np.intp]) -> "Ranges":
        """Some of them."""
        count, best = self.count[at], self.best[at]
        if self.best is self.mean:
            return Ranges(count, best, best)
        return Ranges(count, best, self.mean[at])


def known(values: Values) -> Values:
    """Values with 0 in place of NaN."""
    return np.where(np.isnan(values), 0.0, values)


class Meaning:
    """Estimated cosines of all units of a user that have codes: cos(π × differing signs ÷ dims)."""

    def __init__(self, scanned: Sequence[Scanned], dims: int) -> None:
        self._dims = dims
        self._cosines = _cosines(dims)
        parts = [(each.codes.places, each.distances) for each in scanned if len(each.distances)]
        standing = [
            (places, distances) if distances.max() != _OUT else _standing(places, distances)
            for places, distances in parts
        ]
        self._parts = [(places, distances) for places, distances in standing if len(places)]

    @cached_property
    def typical(self) -> float:
        """The cosine of the middle one of all units: what says nothing."""
        total = sum(len(distances) for _, distances in self._parts)
        sampled = [distances[:: 1 + len(distances) // _SAMPLE] for _, distances in self._parts]
        middle = _middle(np.concatenate(sampled)) if sampled else self._dims / 2
        # The middle of a few says little: then what says nothing is what is at right angles.
        middle = (total * middle + _FEW * self._dims / 2) / (total + _FEW)
        return float(self._cosines[round(middle)])

    @cached_property
    def highest(self) -> float:
        """The cosine of the nearest of all units."""
        least = min((int(each.min()) for _, each in self._parts), default=self._dims // 2)
        return float(self._cosines[least])

    def of_things(self, things: Places) -> Ranges:
        """How near things are, by all of their units."""
        return self.within(things, ends_of(things))

    def scaled(self, cosines: Values) -> Values:
        """Cosines such that what says nothing is 0 and the nearest of all is 1; NaN becomes 0."""
        width = max(self.highest - self.typical, 1e-6)
        return known((cosines - self.typical) / width)

    def count_within(self, starts: Places, ends: Places) -> NDArray[np.int64]:
        """How many units stand in each range of places (inclusive)."""
        count = np.zeros(len(starts), np.int64)
        for places, _ in self._parts:
            count += places.searchsorted(ends, side="right") - places.searchsorted(starts)
        return count

    def within(self, starts: Places, ends: Places) -> Ranges:
        """What is in each range of places (inclusive); `starts` and `ends` alike in length.

        No range begins before another and ends behind it.
        """
        order = starts.argsort(kind="stable")
        starts, ends = starts.take(order), ends.take(order)
        found = [_found(places, starts, ends) for places, _ in self._parts]
        which = order.take(np.concatenate([order[:0], *(ranges for ranges, _ in found)]))
        count = np.bincount(which, minlength=len(order))
        units = [(part, at) for part, (_, at) in zip(self._parts, found, strict=True)]
        distances = np.concatenate([_NONE, *(each.take(at) for (_, each), at in units)])
        if len(units) > 1 and count.max(initial=0) > 1:
            by_range = which.argsort(kind="stable")
            which, distances = which.take(by_range), distances.take(by_range)
        return _ranges(count, which, self._cosines.take(distances))


def _ranges(count: NDArray[np.int64], which: Indexes, cosines: Values) -> Ranges:
    """Ranges of so many units each, from the range and the cosine of each unit, by range."""
    best = np.full(len(count), np.nan)
    if count.max(initial=0) <= 1:
        best[which] = cosines
        return Ranges(count, best, best)
    begins = runs(which)
    held = which.take(begins)
    best[held] = np.maximum.reduceat(cosines, begins)
    mean = np.full(len(count), np.nan)
    mean[held] = np.add.reduceat(cosines, begins) / count.take(held)
    return Ranges(count, best, mean)


def _found(places: Places, starts: Places, ends: Places) -> tuple[Indexes, Indexes]:
    """Which of the ranges (in order) hold units, once for each, and where those units stand."""
    low = int(ends.searchsorted(places[0]))
    high = int(starts.searchsorted(places[-1], side="right"))
    starts, ends = starts[low:high], ends[low:high]
    begin = places.searchsorted(starts)
    some = (places.take(begin) <= ends).nonzero()[0]
    begin, ends = begin.take(some), ends.take(some)
    some += low
    # Nearly always a range holds one unit: a second one would stand next to it.
    second = begin + 1
    if not ((places.take(second, mode="clip") <= ends) & (second < len(places))).any():
        return some, begin
    which, at = unrolled(begin, places.searchsorted(ends, side="right") - begin)
    return some.take(which), at


def _middle(distances: NDArray[np.uint16]) -> float:
    """The middle one; between two the mean of them."""
    low, high = (len(distances) - 1) // 2, len(distances) // 2
    parted = np.partition(distances, high)
    middle = int(parted[high])
    return middle if low == high else (int(parted[:high].max()) + middle) / 2


@lru_cache(maxsize=8)
def _cosines(dims: int) -> Values:
    """The cosine that each number of differing signs stands for."""
    return np.asarray(np.cos(np.pi * np.arange(dims + 1) / dims))


def _standing(places: Places, distances: NDArray[np.uint16]) -> tuple[Places, NDArray[np.uint16]]:
    kept = distances != _OUT
    return places[kept], distances[kept]
