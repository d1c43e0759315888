"""Hybrid search over one user's items: BM25 and cosine, fused by reciprocal ranks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.codes import Places, SegmentCache, nearest, positions
from services.storage.foundation import EmbeddingSpace
from services.storage.search import Candidate, Filter, Gathered, describe, gather
from services.storage.search_items import Kind

RRF_K = 1
"""Cormack, Clarke and Büttcher 2009: the smaller, the more the first places count."""

MIN_CANDIDATES = 50
CANDIDATES_PER_HIT = 4
"""How many of each arm are fused: what is 50th by words and by meaning may be 1st by both."""

NEAREST = 300
"""So many are compared exactly, of those that are nearest by the signs of their values."""

# BM25: how soon a term's repetitions saturate, and how much a unit's length counts.
_K1, _B = 1.2, 0.75


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: any of `terms`, and what is near `embedding` (None: words alone)."""

    terms: tuple[str, ...]
    embedding: NDArray[np.floating[Any]] | None


@dataclass(frozen=True, slots=True)
class Hit:
    """One item, by its best units, with what the two arms say of it: None is not found by that arm.

    `similarity` is the cosine, `bm25` is above 0, ranks count from 1, `rrf` is 0 to 1. `unit`
    is the one that fits best by both arms together.
    """

    item_id: UUID
    kind: Kind
    similarity: float | None
    vector_rank: int | None
    bm25: float | None
    bm25_rank: int | None
    rrf: float
    unit: Candidate


def fused(vector_rank: int | None, bm25_rank: int | None) -> float:
    """Two ranks as one figure: 1 for first by both, a missing rank adds nothing."""
    sum_of_parts = sum(1 / (RRF_K + rank) for rank in (vector_rank, bm25_rank) if rank is not None)
    return sum_of_parts / (2 / (RRF_K + 1))


async def search(
    connection: Connection,
    owner_id: OwnerId,
    space: EmbeddingSpace,
    query: Query,
    chosen: Filter,
    limit: int,
    cache: SegmentCache,
) -> list[Hit]:
    """What fits best, the best first, equals by item_id; at most `limit`.

    Belongs into a transaction that is isolated (repeatable read), so that all parts see the
    same moment. It costs what the user's own units cost, and nobody else's.
    """
    candidates = max(CANDIDATES_PER_HIT * limit, MIN_CANDIDATES)
    gathered = await gather(
        connection,
        owner_id,
        space,
        query.terms,
        chosen,
        cache,
        by_meaning=query.embedding is not None,
    )
    places, scores = bm25(gathered)
    order = np.lexsort((places, -scores))[: 2 * candidates]
    bm25_of = dict(zip(places[order].tolist(), scores[order].tolist(), strict=True))
    near: set[int] = set()
    if query.embedding is not None:
        near = set(_near(gathered, query.embedding, max(NEAREST, 2 * candidates)))
    described = await describe(
        connection, owner_id, space, sorted(near.union(bm25_of)), query.embedding
    )
    units = described.units
    by_words = {
        unit.place: round(bm25_of[unit.place], 9) for unit in units if unit.place in bm25_of
    }
    by_meaning = {
        unit.place: unit.similarity
        for unit in units
        if unit.place in near and unit.similarity is not None
    }
    fitting = _fitting(units, by_words, by_meaning)
    return _hits(_best(units, by_words), _best(units, by_meaning), fitting, candidates)[:limit]


def bm25(gathered: Gathered) -> tuple[Places, NDArray[np.float64]]:
    """The places that hold a term of the query and may be hits, sorted, and their scores."""
    postings = gathered.postings
    if not len(postings.place):
        return np.empty(0, np.int64), np.empty(0)
    holders = gathered.holders
    idf = np.log(1 + (gathered.items - holders + 0.5) / (holders + 0.5))
    mean_length = gathered.total_length / gathered.items
    damping = _K1 * (1 - _B + _B * postings.length / mean_length)
    weights = idf[postings.term] * postings.frequency * (_K1 + 1) / (postings.frequency + damping)
    places, unit = np.unique(postings.place, return_inverse=True)
    scores = np.bincount(unit, weights).astype(np.float64)
    if gathered.allowed is not None:
        at, _ = positions(places, gathered.allowed)
        places, scores = places[at], scores[at]
    return places, scores


def _near(gathered: Gathered, embedding: NDArray[np.floating[Any]], count: int) -> Sequence[int]:
    found = nearest(
        gathered.codes,
        embedding,
        count,
        spans=gathered.spans,
        allowed=gathered.allowed,
        excluded=gathered.excluded,
    )
    places: list[int] = found.places.tolist()
    return places


def _best(units: Sequence[Candidate], scores: dict[int, float]) -> dict[UUID, float]:
    """Each item's score: that of its best unit."""
    best: dict[UUID, float] = {}
    for unit in units:
        if unit.place in scores:
            best[unit.item_id] = max(scores[unit.place], best.get(unit.item_id, -math.inf))
    return best


def _fitting(
    units: Sequence[Candidate], by_words: dict[int, float], by_meaning: dict[int, float]
) -> dict[UUID, Candidate]:
    """Each item's unit that fits best: by its cosine, and its share of the best score by words."""
    most = max(by_words.values(), default=1.0)

    def fit(unit: Candidate) -> tuple[float, int]:
        words = by_words.get(unit.place, 0.0) / most
        return words + by_meaning.get(unit.place, 0.0), -unit.place

    return {unit.item_id: unit for unit in sorted(units, key=fit)}


def _hits(
    by_words: dict[UUID, float],
    by_meaning: dict[UUID, float],
    units: dict[UUID, Candidate],
    candidates: int,
) -> list[Hit]:
    word_ranks = _ranks(by_words)
    vector_ranks = {
        item_id: rank for item_id, rank in _ranks(by_meaning).items() if rank <= candidates
    }
    chosen = vector_ranks.keys() | {key for key, rank in word_ranks.items() if rank <= candidates}
    hits = [
        Hit(
            item_id,
            units[item_id].kind,
            by_meaning[item_id] if item_id in vector_ranks else None,
            vector_ranks.get(item_id),
            by_words.get(item_id),
            word_ranks.get(item_id),
            fused(vector_ranks.get(item_id), word_ranks.get(item_id)),
            units[item_id],
        )
        for item_id in chosen
    ]
    return sorted(hits, key=lambda hit: (-hit.rrf, hit.item_id))


def _ranks(scores: dict[UUID, float]) -> dict[UUID, int]:
    """Ranks from 1 for the highest score; equals go by item_id."""
    order = sorted(scores, key=lambda item_id: (-scores[item_id], item_id))
    return {item_id: rank for rank, item_id in enumerate(order, 1)}
