"""Who says it first: things against those that were said before them."""

import numpy as np
from numpy.typing import NDArray

from services.vector.ranking.evidence import Evidence
from services.vector.ranking.meaning import Values

# Cosines this much below one's own still count as as near.
_TOLERANCE = 0.02


def likest_earlier(evidence: Evidence) -> Values:
    """The cosine of the earlier ranked thing that is most alike; 0 for the first."""
    vectors, lengths = evidence.units.vectors, evidence.norms
    if not len(vectors):
        return evidence.nothing
    alike = vectors @ vectors.T
    alike *= 1 / lengths
    alike *= evidence.earlier
    return np.asarray(alike.max(axis=1, initial=0.0) / lengths, float)


def earlier_as_near(evidence: Evidence, nearness: Values) -> Values:
    """How many earlier ranked things are as near to the query."""
    as_near = nearness >= nearness[:, np.newaxis] - _TOLERANCE
    as_near &= evidence.earlier
    # Counted eight at a time.
    counts = np.bitwise_count(np.packbits(as_near, axis=1))
    return np.asarray(counts.sum(axis=1, dtype=float))


def feedback_similarity(evidence: Evidence, best: NDArray[np.intp]) -> Values:
    """The cosine of each thing with the mean of some (Rocchio 1971): what is like what fits."""
    vectors, lengths = evidence.units.vectors, evidence.norms
    if not len(best):
        return evidence.nothing
    middle = (vectors[best] / lengths[best, np.newaxis]).mean(axis=0)
    length = max(float(np.linalg.norm(middle)), 1e-9)
    return np.asarray(vectors @ middle / (lengths * length), float)
