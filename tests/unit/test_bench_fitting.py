"""Weights of signals learnt from made-up questions whose true weights are known."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from bench import ranking
from bench.fitting import (
    TEMPERATURE,
    Example,
    FitError,
    _Loss,
    cross_check,
    fit,
    judge,
    scaled,
)

TRUE = np.array([1.0, 0.5, 0.0, -0.5])
TURNS = tuple(f"t{number}" for number in range(40))


def made_up(count: int, seed: int, weights: np.ndarray = TRUE, answers: int = 1) -> list[Example]:
    """Questions whose evidence is drawn as the model says: by the softmax of true scores."""
    random = np.random.default_rng(seed)
    examples = []
    for _ in range(count):
        values = random.uniform(0, 1, (len(TURNS), len(weights)))
        # The largest of scores with Gumbel noise are draws by the softmax.
        scores = TEMPERATURE * values @ weights + random.gumbel(size=len(TURNS))
        best = np.argsort(-scores)[:answers]
        examples.append(Example(frozenset(TURNS[hit] for hit in best), TURNS, values))
    return examples


def found_among_first(examples: list[Example], weights: np.ndarray) -> float:
    return ranking.mean(judge(examples, weights), (10,))["R@10"]


def test_the_true_weights_are_recovered() -> None:
    weights = fit(made_up(1500, seed=1))

    # The penalty makes all somewhat smaller; what they are to each other stays.
    assert np.allclose(weights / weights[0], TRUE, atol=0.12)
    assert 0.7 < weights[0] < 1.0


def test_unseen_questions_are_ranked_as_well_as_by_the_true_weights() -> None:
    unseen = made_up(800, seed=2)

    fitted = found_among_first(unseen, fit(made_up(400, seed=3)))

    assert fitted == pytest.approx(found_among_first(unseen, TRUE), abs=0.02)
    assert fitted > found_among_first(unseen, np.ones(4)) + 0.05


def test_where_the_search_starts_changes_nothing() -> None:
    examples = made_up(200, seed=4)

    assert np.allclose(fit(examples), fit(examples, np.array([-3.0, 5.0, 2.0, 9.0])), atol=5e-3)


def test_turns_with_evidence_do_not_compete_with_each_other() -> None:
    values = np.array([[1.0], [1.0], [0.0]])
    example = Example(frozenset({"a", "b", "elsewhere"}), ("a", "b", "c"), values)

    assert example.taught().tolist() == [0.5, 0.5, 0.0]
    loss, _ = _Loss([example])(np.zeros(1))
    assert loss == pytest.approx(np.log(2))


def test_the_gradient_is_that_of_the_loss() -> None:
    loss = _Loss([*made_up(20, seed=5, answers=3), *made_up(20, seed=6)])

    for weights in (np.zeros(4), TRUE, np.array([3.0, -2.0, 0.5, 1.0])):
        error = check_grad(lambda at: loss(at)[0], lambda at: loss(at)[1], weights)
        assert error < 1e-5


def test_scaling_makes_the_best_hit_score_one_and_keeps_the_order() -> None:
    examples = made_up(50, seed=7)
    weights = scaled(TRUE, examples)

    assert np.mean([(each.values @ weights).max() for each in examples]) == pytest.approx(1.0)
    assert judge(examples, weights) == judge(examples, TRUE)


def test_evidence_that_was_not_found_counts_as_missed() -> None:
    example = Example(frozenset({"b", "elsewhere"}), ("a", "b"), np.array([[1.0], [2.0]]))

    (judged,) = judge([example], np.ones(1))

    assert judged.recall[5] == 0.5
    assert judged.reciprocal_rank == 1.0


def test_a_conversation_is_judged_by_what_the_others_teach() -> None:
    contrary = made_up(60, seed=8, weights=-2 * TRUE)
    alike = [made_up(200, seed=9), made_up(200, seed=10)]
    weights = fit([*contrary, *alike[0], *alike[1]])

    left_out = cross_check([contrary, *alike], weights)

    assert len(left_out) == 460
    assert left_out[:60] == judge(contrary, fit([*alike[0], *alike[1]], weights))
    by_others = ranking.mean(left_out[:60], (10,))["R@10"]
    assert by_others < found_among_first(contrary, fit(contrary)) - 0.3


def test_nothing_is_learnt_from_nothing() -> None:
    missed = Example(frozenset({"elsewhere"}), ("a", "b"), np.ones((2, 1)))
    empty = Example(frozenset({"a"}), (), np.ones((0, 1)))

    with pytest.raises(FitError, match="no question has evidence"):
        fit([missed, empty])
    with pytest.raises(FitError, match="do not score above 0"):
        scaled(np.zeros(1), [missed, empty])
    with pytest.raises(FitError, match="at least two"):
        cross_check([made_up(5, seed=11)], TRUE)
