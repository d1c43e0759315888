"""The factors of a score, each by itself."""

import math
from datetime import timedelta

import pytest

from services.recall import scoring
from services.text.terms import query_terms

DAY = timedelta(days=1)
LIVES = scoring.Fact("Maya", "LIVES_IN", "Cascais", "Maya lives in Cascais.", 0.9)
CODES = scoring.Fact("Maya", "HAS_SKILL", "Rust", "", 1.0)


def terms(question: str) -> frozenset[str]:
    return frozenset(query_terms(question))


def test_recency_falls_to_1_over_e_after_the_decay_rate() -> None:
    assert scoring.recency(timedelta(0), 30 * DAY, 0.0) == 1.0
    assert scoring.recency(30 * DAY, 30 * DAY, 0.0) == pytest.approx(1 / math.e)
    assert scoring.recency(60 * DAY, 30 * DAY, 0.0) == pytest.approx(math.e**-2)


def test_a_stirring_memory_fades_more_slowly() -> None:
    stirring = scoring.recency(30 * DAY, 30 * DAY, 1.0)
    assert stirring == pytest.approx(math.exp(-1 / 1.5))
    assert (
        stirring > scoring.recency(30 * DAY, 30 * DAY, 0.5) > scoring.recency(30 * DAY, 30 * DAY, 0)
    )


def test_a_skewed_clock_makes_nothing_newer_than_new() -> None:
    assert scoring.recency(-DAY, 30 * DAY, 0.0) == 1.0


def test_importance_is_a_tenth_and_a_half_where_unknown() -> None:
    assert scoring.importance_factor(8) == 0.8
    assert scoring.importance_factor(1) == 0.1
    assert scoring.importance_factor(None) == 0.5


def test_the_fact_that_answers_scores_above_one_that_only_names() -> None:
    asked = terms("Where does Maya live?")
    assert scoring.coverage(LIVES, asked) == 1.0
    assert scoring.coverage(CODES, asked) == 0.5
    assert scoring.fact_score(LIVES, asked) == pytest.approx(0.9 * 0.5)
    assert scoring.fact_score(LIVES, asked) > scoring.fact_score(CODES, asked)


def test_the_boost_counts_the_ends_that_a_content_names() -> None:
    boost = scoring.GraphBoost([LIVES, CODES], terms("Where does Maya live?"))
    assert boost("Maya swims in Cascais every morning.") == pytest.approx(1.5)
    assert boost("Cascais is by the sea.") == pytest.approx(1.2)
    assert boost("The weather is fine.") == 1.0
    # The fact about Rust says less of what was asked: it boosts nothing.
    assert boost("Rust is a language.") == 1.0


def test_names_are_met_as_a_whole() -> None:
    ann = scoring.Fact("Ann", "LIVES_IN", "York", "", 1.0)
    boost = scoring.GraphBoost([ann], terms("Where does Ann live?"))
    assert boost("Anna moved to New Yorkshire.") == 1.0
    assert boost("ANN, of York") == pytest.approx(1.5)
    ming = scoring.Fact("小明", "LIVES_IN", "上海", "", 1.0)
    chinese = scoring.GraphBoost([ming], terms("小明 live"))
    assert chinese("我叫小明住在上海") == pytest.approx(1.5)


def test_a_fact_that_shares_only_a_name_boosts_nothing() -> None:
    boost = scoring.GraphBoost([CODES, LIVES], terms("When does Maya marry?"))
    assert boost("Maya writes Rust in Cascais.") == 1.0
    both = scoring.GraphBoost([CODES], terms("Has Maya heard of Rust?"))
    assert both("Maya writes Rust.") == 1.5


def test_the_boost_never_passes_two() -> None:
    facts = [scoring.Fact("Maya", "KNOWS", name, "", 1.0) for name in ("Tom", "Ingrid", "Priya")]
    boost = scoring.GraphBoost(facts, terms("Who does Maya know?"))
    assert boost("Maya met Tom, Ingrid and Priya.") == 2.0


def test_no_words_no_facts_no_boost() -> None:
    assert scoring.coverage(LIVES, frozenset()) == 0.0
    assert scoring.GraphBoost([LIVES], frozenset())("Maya lives in Cascais") == 1.0


def test_in_full_strength_the_score_is_the_product_of_its_factors() -> None:
    full = scoring.Strengths(1, 1, 1)
    assert scoring.Factors(0.5, 0.8, 0.9, 1.2).score(full) == pytest.approx(0.5 * 0.8 * 0.9 * 1.2)


def test_a_factor_counts_as_far_as_it_is_strong() -> None:
    factors = scoring.Factors(0.5, 0.8, 0.9, 1.2)
    assert factors.score(scoring.Strengths()) == 0.5
    assert factors.score(scoring.Strengths(recency=0.5)) == pytest.approx(0.5 * 0.9)
    assert factors.score(scoring.Strengths(importance=0.1)) == pytest.approx(0.5 * 0.99)
    assert factors.score(scoring.Strengths(graph_boost=0.2)) == pytest.approx(0.5 * 1.04)
