"""What the query's vector says of every unit and every thing, as far as codes tell it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.storage.codes import Places, Scanned
from services.vector.ranking.surroundings import ends_of

Values = NDArray[np.float64]

_OUT = np.iinfo(np.uint16).max
# Of so many units of a part the middle one is found.
_SAMPLE = 4096
# Of so many units the middle one is half believed.
_FEW = 20


@dataclass(frozen=True, slots=True)
class Ranges:
    """Of the units within each of several ranges of places: how many, how near.

    `first` is of the one with the lowest place. All are estimates of cosines from codes;
    where `count` is 0 they are NaN.
    """

    count: NDArray[np.int64]
    best: Values
    mean: Values
    first: Values

    def part(self, at: slice | NDArray[np.intp]) -> "Ranges":
        """Some of them."""
        return Ranges(self.count[at], self.best[at], self.mean[at], self.first[at])


def known(values: Values) -> Values:
    """Values with 0 in place of NaN."""
    return np.where(np.isnan(values), 0.0, values)


class Meaning:
    """Estimated cosines of all units of a user that have codes: cos(π × differing signs ÷ dims)."""

    def __init__(self, scanned: Sequence[Scanned], dims: int) -> None:
        self._cosines = np.cos(np.pi * np.arange(dims + 1) / dims)
        kept = [(each.codes.places, each.distances) for each in scanned]
        self._parts = [
            (places, distances)
            if distances.max(initial=0) != _OUT
            else _standing(places, distances)
            for places, distances in kept
        ]
        self._parts = [(places, distances) for places, distances in self._parts if len(places)]
        self._least = min((int(each.min()) for _, each in self._parts), default=dims // 2)
        sampled = [distances[:: 1 + len(distances) // _SAMPLE] for _, distances in self._parts]
        middle = float(np.median(np.concatenate(sampled))) if sampled else dims / 2
        # The middle of a few says little: then what says nothing is what is at right angles.
        total = sum(len(distances) for _, distances in self._parts)
        self._middle = (total * middle + _FEW * dims / 2) / (total + _FEW)

    @property
    def typical(self) -> float:
        """The cosine of the middle one of all units: what says nothing."""
        return float(self._cosines[round(self._middle)])

    @property
    def highest(self) -> float:
        """The cosine of the nearest of all units."""
        return float(self._cosines[self._least])

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
            count += np.searchsorted(places, ends, side="right") - np.searchsorted(places, starts)
        return count

    def within(self, starts: Places, ends: Places) -> Ranges:
        """What is in each range of places (inclusive); `starts` and `ends` alike in length."""
        order = np.argsort(starts, kind="stable")
        starts, ends = starts[order], ends[order]
        count = np.zeros(len(starts), np.int64)
        best = np.full(len(starts), -np.inf)
        total = np.zeros(len(starts))
        first = np.full(len(starts), np.nan)
        for places, distances in self._parts:
            low = int(np.searchsorted(ends, places[0]))
            high = int(np.searchsorted(starts, places[-1], side="right"))
            if low >= high:
                continue
            begin = np.searchsorted(places, starts[low:high])
            after = np.searchsorted(places, ends[low:high], side="right")
            some = np.flatnonzero(after > begin)
            if not len(some):
                continue
            at = low + some
            begin, after = begin[some], after[some]
            values, bounds = self._unrolled(distances, begin, after)
            best[at] = np.maximum(best[at], np.maximum.reduceat(values, bounds))
            total[at] += np.add.reduceat(values, bounds)
            first[at] = np.where(count[at] == 0, values[bounds], first[at])
            count[at] += after - begin
        with np.errstate(invalid="ignore"):
            mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        best = np.where(count > 0, best, np.nan)
        back = np.empty(len(order), np.intp)
        back[order] = np.arange(len(order))
        return Ranges(count[back], best[back], mean[back], first[back])

    def _unrolled(
        self, distances: NDArray[np.uint16], begin: NDArray[np.intp], after: NDArray[np.intp]
    ) -> tuple[Values, NDArray[np.int64]]:
        """The cosines in each stretch [begin, after), one behind the other; where each begins."""
        lengths = after - begin
        if lengths.max() == 1:
            return self._cosines[distances[begin]], np.arange(len(begin))
        bounds = np.cumsum(lengths) - lengths
        at = np.arange(lengths.sum()) + np.repeat(begin - bounds, lengths)
        return self._cosines[distances[at]], bounds


def _standing(places: Places, distances: NDArray[np.uint16]) -> tuple[Places, NDArray[np.uint16]]:
    kept = distances != _OUT
    return places[kept], distances[kept]
