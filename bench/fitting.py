"""Weights of signals, learnt from questions whose answers are known: the arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from bench import ranking
from bench.ranking import Scores

Values = NDArray[np.float64]

KS = (5, 10, 20)
"""The depths that recall is judged at."""

TEMPERATURE = 4.0
"""What scores are multiplied by before they become chances. Scores of the best are near 1: the
higher this is, the smaller the distance that counts as a clear lead."""

PENALTY = 4e-3
"""Of the sum of the squared weights (L2): keeps signals that say the same from growing large
against each other."""

_MOST_STEPS = 1_000


class FitError(Exception):
    """Nothing can be learnt from these questions; the message says why."""


@dataclass(frozen=True, slots=True)
class Example:
    """One question and what was found for it.

    `evidence` are the turns that answer it, found or not. `turns` are the hits'; `values` are
    what the signals say of them, a row for each hit, a column for each signal.
    """

    evidence: frozenset[str]
    turns: tuple[str, ...]
    values: Values

    def taught(self) -> Values:
        """How much each hit teaches: those with evidence in equal parts, 1 in all, the others 0."""
        found = np.array([turn in self.evidence for turn in self.turns], np.float64)
        return np.asarray(found / max(found.sum(), 1.0))


def fit(examples: Sequence[Example], start: Values | None = None) -> Values:
    """The weights under which the evidence is likeliest: one for each signal.

    The chance of a hit with evidence is its share in the softmax of its own score and those of
    all hits without: evidence does not compete with evidence, for all of it is to be found.
    What is least is the mean of -ln(chance) over each question's evidence, averaged over
    questions, plus the penalty; it has one minimum. Looked for from `start`, by default from
    no weights at all. Questions none of whose evidence was found teach nothing. FitError if no
    question teaches anything.
    """
    told = [each for each in examples if each.taught().any()]
    if not told:
        raise FitError("no question has evidence among its hits")
    loss = _Loss(told)
    found: Any = minimize(
        loss,
        np.zeros(loss.values.shape[1]) if start is None else start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MOST_STEPS},
    )
    if not found.success:
        raise FitError(f"the search for weights ended early: {found.message}")
    weights: Values = found.x
    return weights


class _Loss:
    """What `fit` makes least for some questions, and its gradient, by weights."""

    def __init__(self, examples: Sequence[Example]) -> None:
        sizes = [len(each.turns) for each in examples]
        self.values = np.concatenate([each.values for each in examples])
        self._taught = np.concatenate([each.taught() for each in examples])
        self._starts = np.cumsum([0, *sizes[:-1]])
        self._question = np.repeat(np.arange(len(sizes)), sizes)

    def __call__(self, weights: Values) -> tuple[float, Values]:
        scores = TEMPERATURE * (self.values @ weights)
        # The highest score of a question becomes 0, so that no power of e overflows.
        scores -= np.maximum.reduceat(scores, self._starts)[self._question]
        powers = np.exp(scores)
        others = powers * (self._taught == 0)
        rivals = np.add.reduceat(others, self._starts)[self._question]
        sums = np.maximum(rivals + powers, np.finfo(float).tiny)
        count = len(self._starts)
        loss = self._taught @ (np.log(sums) - scores) / count + PENALTY * (weights @ weights)
        # How hard a question's evidence pushes the others down, for each unit of their power.
        push = np.add.reduceat(self._taught / sums, self._starts)[self._question]
        slope = others * push - self._taught * rivals / sums
        pull = TEMPERATURE * (slope @ self.values) / count
        return float(loss), pull + 2 * PENALTY * weights


def scaled(weights: Values, examples: Sequence[Example]) -> Values:
    """The weights times what makes the best hit of a question score 1 on average.

    Changes no order. FitError if the best hits do not score above 0.
    """
    tops = [float((each.values @ weights).max()) for each in examples if each.turns]
    top = float(np.mean(tops)) if tops else 0.0
    if top <= 0:
        raise FitError("the best hits do not score above 0: the signals do not tell hits apart")
    return weights / top


def judge(examples: Sequence[Example], weights: Values) -> list[Scores]:
    """How well the weights rank each question's hits; evidence that is no hit counts as missed."""
    judged = []
    for each in examples:
        order = np.argsort(-(each.values @ weights), kind="stable")
        judged.append(ranking.score([(each.turns[hit],) for hit in order], each.evidence, KS))
    return judged


def cross_check(conversations: Sequence[Sequence[Example]], start: Values) -> list[Scores]:
    """Every question judged by weights that were learnt from the other conversations.

    What weights are worth for conversations that they were not fitted on; how good they are on
    their own flatters them. FitError with fewer than two conversations.
    """
    if len(conversations) < 2:
        raise FitError("leaving one conversation out needs at least two")
    judged = []
    for left_out, asked in enumerate(conversations):
        others = [*conversations[:left_out], *conversations[left_out + 1 :]]
        weights = fit([each for other in others for each in other], start)
        judged += judge(asked, weights)
    return judged
