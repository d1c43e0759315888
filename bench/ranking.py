"""How good a ranked list of results is, given which turns answer the question."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

Ranked = Sequence[Collection[str]]
"""The results, best first: the turns that each stands for (a memory may have several sources)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One question's figures, each 0 to 1; `recall` and `hit` by k."""

    recall: dict[int, float]
    hit: dict[int, float]
    reciprocal_rank: float
    ndcg: float


def score(ranked: Ranked, evidence: Collection[str], ks: Sequence[int]) -> Scores:
    """Judges one answer.

    recall@k: the share of the evidence that the first k results stand for. hit@k: whether
    any of it is there. The reciprocal rank is that of the first result with evidence, over
    all results. nDCG@10: a result counts when it brings evidence that none above it brought,
    so an answer cannot gain by repeating itself.

    Raises ValueError without evidence: nothing can be said then.
    """
    if not evidence:
        raise ValueError("a question without evidence cannot be scored")
    missing = set(evidence)
    found_by: list[int] = []  # how much of the evidence the results up to here stand for
    gains: list[bool] = []
    first = 0
    for position, turns in enumerate(ranked, 1):
        brought = missing.intersection(turns)
        if brought and not first:
            first = position
        missing -= brought
        gains.append(bool(brought))
        found_by.append(len(evidence) - len(missing))
    at = {k: found_by[min(k, len(found_by)) - 1] if found_by else 0 for k in ks}
    return Scores(
        recall={k: found / len(evidence) for k, found in at.items()},
        hit={k: float(found > 0) for k, found in at.items()},
        reciprocal_rank=1 / first if first else 0.0,
        ndcg=_discounted(gains[:10]) / _discounted([True] * min(10, len(evidence))),
    )


def mean(scores: Sequence[Scores], ks: Sequence[int]) -> dict[str, float]:
    """The averages over questions, by the names the tables use. Of none: NaN."""
    columns: dict[str, list[float]] = {f"R@{k}": [s.recall[k] for s in scores] for k in ks}
    columns |= {f"hit@{k}": [s.hit[k] for s in scores] for k in ks}
    columns["MRR"] = [s.reciprocal_rank for s in scores]
    columns["nDCG@10"] = [s.ndcg for s in scores]
    return {
        name: float(np.mean(values)) if values else float("nan") for name, values in columns.items()
    }


def _discounted(gains: Sequence[bool]) -> float:
    return sum(1 / math.log2(position + 1) for position, gain in enumerate(gains, 1) if gain)
