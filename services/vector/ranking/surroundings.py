"""Where things stand: their neighbours, and the session or file around them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.storage.codes import Places
from services.storage.places import MAX_PART, MEMORY, PLACELESS, kind_range

_SEQUENCE_STEP = 1 << 11
_SESSION_SHIFT = 33
_MEMORY = kind_range(MEMORY)[0]
_PLACELESS = kind_range(PLACELESS)[0]


def anchors_of(things: Places) -> Places:
    """Where in a conversation each thing stands: a memory with the message it was taken from.

    Chunks stand in their file. A memory without a source stands nowhere: itself.
    """
    # The bit that tells a memory from a message tells a placeless one from a chunk.
    anchors = things & ~np.int64(_MEMORY | MAX_PART)
    return np.where(things < _PLACELESS, anchors, things)


def neighbours(anchors: Places, steps: int) -> Places:
    """The thing so many steps on in the same session or file; −1 where that would leave it."""
    return np.asarray(around(anchors, [steps])[0])


def around(anchors: Places, steps: Sequence[int]) -> Places:
    """The things so many steps on: a row for each number of steps, else as `neighbours`."""
    moved = anchors + np.array(steps, np.int64)[:, np.newaxis] * _SEQUENCE_STEP
    stays = ((moved ^ anchors) >> _SESSION_SHIFT == 0) & _has_neighbours(anchors)
    return np.where(stays, moved, np.int64(-1))


def sessions_of(anchors: Places) -> Places:
    """The session or file around each: a number of its own for each kind; −1 for none."""
    return np.where(_has_neighbours(anchors), anchors >> _SESSION_SHIFT, np.int64(-1))


def session_bounds(sessions: Places) -> tuple[Places, Places]:
    """The first and last place of each session or file."""
    starts = sessions << _SESSION_SHIFT
    return starts, starts + np.int64((1 << _SESSION_SHIFT) - 1)


def sessions_of_sorted(things: Places) -> Places:
    """`sessions_of` for the anchors of things that are sorted."""
    sessions = things >> _SESSION_SHIFT
    sessions &= ~np.int64(_MEMORY >> _SESSION_SHIFT)
    sessions[things.searchsorted(_PLACELESS) :] = -1
    return sessions


def ends_of(things: Places) -> Places:
    """The last place that a unit of each thing can have (a message's passages are its units)."""
    return np.where(things < 0, things, things | np.where(things < _MEMORY, MAX_PART, 0))


def _has_neighbours(anchors: Places) -> NDArray[np.bool_]:
    # Neither the one bit of a memory nor both of what is placeless.
    return np.asarray(anchors & _MEMORY == 0)
