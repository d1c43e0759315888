"""Where things stand: their neighbours, and the session or file around them."""

import numpy as np
from numpy.typing import NDArray

from services.storage.codes import Places
from services.storage.places import CHUNK, MAX_PART, MEMORY, MESSAGE, PLACELESS, kind_of

_SEQUENCE_STEP = 1 << 11
_SESSION_SHIFT = 33
_KINDS = 3 << 61


def anchors_of(things: Places) -> Places:
    """Where in a conversation each thing stands: a memory with the message it was taken from.

    Chunks stand in their file. A memory without a source stands nowhere: itself.
    """
    in_talk = np.where(kind_of(things) == MEMORY, things & ~np.int64(_KINDS), things)
    return np.where(kind_of(things) == PLACELESS, things, in_talk & ~np.int64(MAX_PART))


def neighbours(anchors: Places, steps: int) -> Places:
    """The thing so many steps on in the same session or file; −1 where that would leave it."""
    moved = anchors + np.int64(steps * _SEQUENCE_STEP)
    stays = (moved >> _SESSION_SHIFT == anchors >> _SESSION_SHIFT) & _has_neighbours(anchors)
    return np.where(stays, moved, np.int64(-1))


def sessions_of(anchors: Places) -> Places:
    """The session or file around each: a number of its own for each kind; −1 for none."""
    return np.where(_has_neighbours(anchors), anchors >> _SESSION_SHIFT, np.int64(-1))


def session_bounds(sessions: Places) -> tuple[Places, Places]:
    """The first and last place of each session or file."""
    starts = sessions << _SESSION_SHIFT
    return starts, starts + np.int64((1 << _SESSION_SHIFT) - 1)


def ends_of(things: Places) -> Places:
    """The last place that a unit of each thing can have (a message's passages are its units)."""
    return np.where(kind_of(things) == MESSAGE, things | np.int64(MAX_PART), things)


def _has_neighbours(anchors: Places) -> NDArray[np.bool_]:
    kinds = kind_of(anchors)
    return np.asarray((kinds == MESSAGE) | (kinds == CHUNK))
