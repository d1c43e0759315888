"""How the quality suite judges a ranked list."""

import math

import pytest

from bench.ranking import mean, score


def test_recall_and_hit_count_the_evidence_among_the_first_k() -> None:
    judged = score([("a",), ("x",), ("b",), ("y",)], {"a", "b", "c"}, (1, 3, 20))

    assert judged.recall == {1: 1 / 3, 3: 2 / 3, 20: 2 / 3}
    assert judged.hit == {1: 1.0, 3: 1.0, 20: 1.0}


def test_a_memory_stands_for_all_its_sources() -> None:
    judged = score([("x",), ("a", "b", "z")], {"a", "b"}, (1, 2))

    assert judged.recall == {1: 0.0, 2: 1.0}
    assert judged.hit == {1: 0.0, 2: 1.0}
    assert judged.reciprocal_rank == 0.5


def test_the_reciprocal_rank_is_that_of_the_first_evidence() -> None:
    assert score([("x",), ("y",), ("a",), ("b",)], {"a", "b"}, (5,)).reciprocal_rank == 1 / 3
    assert score([("x",), ("y",)], {"a"}, (5,)).reciprocal_rank == 0.0


def test_ndcg_discounts_by_place_and_is_one_for_the_best_order() -> None:
    assert score([("a",), ("b",), ("x",)], {"a", "b"}, (5,)).ndcg == pytest.approx(1.0)
    late = score([("x",), ("a",), ("b",)], {"a", "b"}, (5,)).ndcg
    assert late == pytest.approx((1 / math.log2(3) + 1 / math.log2(4)) / (1 + 1 / math.log2(3)))


def test_saying_the_same_again_gains_nothing() -> None:
    once = score([("a",), ("x",), ("b",)], {"a", "b"}, (5,))
    again = score([("a",), ("a",), ("b",)], {"a", "b"}, (5,))

    assert again == once


def test_ndcg_looks_at_ten_results() -> None:
    deep = [(f"x{number}",) for number in range(10)] + [("a",)]

    judged = score(deep, {"a"}, (10, 20))

    assert judged.ndcg == 0.0
    assert judged.recall == {10: 0.0, 20: 1.0}
    assert judged.reciprocal_rank == 1 / 11


def test_an_empty_answer_scores_nothing() -> None:
    judged = score([], {"a"}, (5,))

    assert (judged.recall, judged.reciprocal_rank, judged.ndcg) == ({5: 0.0}, 0.0, 0.0)


def test_without_evidence_there_is_no_score() -> None:
    with pytest.raises(ValueError, match="without evidence"):
        score([("a",)], (), (5,))


def test_the_mean_is_over_questions() -> None:
    every = mean([score([("a",)], {"a"}, (1,)), score([("x",)], {"a", "b"}, (1,))], (1,))

    assert every == {"R@1": 0.5, "hit@1": 0.5, "MRR": 0.5, "nDCG@10": 0.5}
    assert all(math.isnan(value) for value in mean([], (1,)).values())
