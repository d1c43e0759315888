"""Who says it first: things against those that were said before them."""

import numpy as np
from numpy.typing import NDArray

from services.vector.ranking.evidence import Evidence
from services.vector.ranking.meaning import Values

# Cosines this much below one's own still count as as near.
_TOLERANCE = 0.02


def likest_earlier(evidence: Evidence) -> Values:
    """The cosine of the earlier ranked thing that is most alike; 0 for the first."""
    directions = evidence.directions
    if not len(directions):
        return evidence.nothing
    alike = directions @ directions.T
    alike[~evidence.earlier] = 0.0
    return np.asarray(alike.max(axis=1, initial=0.0), float)


def earlier_as_near(evidence: Evidence, nearness: Values) -> Values:
    """How many earlier ranked things are as near to the query."""
    as_near = nearness[np.newaxis, :] >= nearness[:, np.newaxis] - _TOLERANCE
    return np.asarray((as_near & evidence.earlier).sum(axis=1), float)


def feedback_similarity(evidence: Evidence, best: NDArray[np.intp]) -> Values:
    """The cosine of each thing with the mean of some (Rocchio 1971): what is like what fits."""
    directions = evidence.directions
    middle = directions[best].mean(axis=0) if len(best) else np.zeros(directions.shape[1])
    length = max(float(np.linalg.norm(middle)), 1e-9)
    return np.asarray(directions @ middle / length, float)
