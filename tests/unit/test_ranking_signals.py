"""Every signal's figures on a talk of six messages, small enough to work out by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from services.storage.codes import codes_of, scan, sign_bits
from services.storage.places import message_place
from services.storage.search import Described, Gathered, Postings
from services.text.traits import ASKS, BY_ASSISTANT, NAMES_TIME, TELLS
from services.vector.ranking import signals
from services.vector.ranking.context import Talk
from services.vector.ranking.evidence import Evidence, evidence_of
from services.vector.ranking.meaning import Meaning
from services.vector.ranking.profile import BUILT_IN, SIGNALS, Profile, Weight
from services.vector.ranking.question import Question, read_question
from services.vector.ranking.rank import blend, rank
from services.vector.ranking.signals import Signals
from services.vector.ranking.words import words_of

DIMS = 8
ASKED_AT = datetime(2024, 5, 20, tzinfo=UTC)
PLACES = [message_place(session, number, 0) for session in (1, 2) for number in (1, 2, 3)]
DAY_0 = 19_800 * 86_400  # 18 March 2024, in seconds since 1970
EPOCH = 946_684_800

# Which term stands in which message, how often; messages have 4 terms each.
HELD = [(0, 0, 1), (0, 1, 2), (1, 1, 1), (1, 4, 1)]
# The query is all ones: so many signs differ, cosine cos(pi * k / 8).
DIFFERING = [4, 0, 4, 4, 2, 4]


def codes() -> np.ndarray:
    vectors = np.ones((len(PLACES), DIMS), np.float32)
    for row, count in zip(vectors, DIFFERING, strict=True):
        row[:count] = -1
    return vectors


def units(speakers: Sequence[str]) -> Described:
    vectors = codes()
    return Described(
        places=np.array(PLACES, np.int64),
        item_ids=[bytes([number] * 16) for number in range(len(PLACES))],
        memory_types=[None] * len(PLACES),
        similarities=(vectors.sum(axis=1) / DIMS).astype(np.float64),
        lengths=np.full(len(PLACES), 4),
        speakers=speakers,
        traits=np.array([TELLS, NAMES_TIME, ASKS, BY_ASSISTANT, 0, 0]),
        start_offsets=np.zeros(len(PLACES), np.int64),
        end_offsets=np.array([30, 60, 150, 300, 600, 0]),
        event_times=np.array([(DAY_0 - EPOCH + day * 86_400) * 10**6 for day in range(6)]),
        creation_times=np.zeros(len(PLACES), np.int64),
        vectors=vectors,
    )


def evidence(
    text: str = "radio harbour", *, speakers: Sequence[str] = ("Ada", "Ada", "Ada", *"BBB")
) -> Evidence:
    question = read_question(text, np.ones(DIMS, np.float32), ASKED_AT)
    return about(question, speakers)


def about(question: Question, speakers: Sequence[str]) -> Evidence:
    terms, at, frequency = (np.array(each, np.int32) for each in zip(*HELD, strict=True))
    postings = Postings(terms, np.array(PLACES)[at], frequency, np.full(len(HELD), 4, np.int32))
    bits = sign_bits(codes())
    stored = codes_of(np.array(PLACES, ">i8").tobytes(), bits.tobytes(), DIMS)
    holders = np.bincount(terms, minlength=len(question.terms))
    gathered = Gathered(
        postings, holders, 6, 24, (stored,), ((0, 2**61 - 1),), None, np.empty(0, np.int64)
    )
    meaning = Meaning(scan(gathered.codes, np.ones(DIMS, np.float32)), DIMS)
    words = words_of(gathered)
    talk = Talk.around(words, meaning, np.array(PLACES, np.int64))
    return evidence_of(question, talk, None, np.arange(len(PLACES)), units(speakers))


def value(name: str, given: Evidence | None = None) -> list[float]:
    found: list[float] = Signals(given or evidence()).values(name).tolist()
    return found


# Both terms are held by two of six: idf log(1 + 4.5 / 2.5), alike. BM25 of one occurrence in a
# text of mean length is 1 idf, of two 2 * 2.2 / 3.2 = 1.375.
TOP = 2.375


def test_words_of_a_thing() -> None:
    found = evidence()
    idf = np.log(1 + 4.5 / 2.5)
    assert found.words.idf.tolist() == pytest.approx([idf, idf])
    assert found.bm25.tolist() == pytest.approx([idf, TOP * idf, 0, 0, idf, 0])
    assert value("bm25") == pytest.approx([1 / TOP, 1, 0, 0, 1 / TOP, 0])
    assert value("bm25_coverage") == pytest.approx([0.5, 1, 0, 0, 0.5, 0])
    assert value("bm25_first_mention") == pytest.approx([0.5, 0.75, 0, 0, 0.25, 0])


def test_words_that_it_holds_and_that_stand_side_by_side() -> None:
    assert value("terms_held") == pytest.approx([0.5, 1, 0, 0, 0.5, 0])
    assert value("pairs_held") == [0, 1, 0, 0, 0, 0]
    # A name is not asked for, and there is no pair without it.
    named = evidence("ada harbour")
    assert value("terms_held", named) == [0, 1, 0, 0, 1, 0]
    assert value("pairs_held", named) == [0] * 6


def test_a_question_of_many_words_asks_for_length() -> None:
    of_two = np.log(2 / 5)
    lengths = np.array(value("length"))
    assert value("length_by_words") == pytest.approx((lengths * of_two).tolist())
    assert value("asks_by_words") == pytest.approx([0, 0, of_two, 0, 0, 0])
    assert value("passages_by_words") == [0] * 6


def test_words_beside_a_thing_stop_at_the_ends_of_its_session() -> None:
    assert value("bm25_before") == pytest.approx([0, 1 / TOP, 1, 0, 0, 1 / TOP])
    assert value("bm25_after") == pytest.approx([1, 0, 0, 1 / TOP, 0, 0])
    assert value("window_coverage") == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5])


def test_the_turns_around_are_one_text() -> None:
    """Three texts of mean length, for what holds no word of the query counts as of that length."""
    most = 3 * 2.2 / 4.2 + 1  # both terms, three times and once
    later = 2 * 2.2 / 3.2 + 1
    expected = np.array([most, most, later, 1, 1, 1]) / most
    assert value("bm25_turns") == pytest.approx(expected.tolist())


def test_points_are_the_same_whatever_others_have() -> None:
    idf = np.log(1 + 4.5 / 2.5)
    window = np.asarray(value("bm25_window"))
    points = np.asarray(value("points_window"))
    assert points == pytest.approx(window * points.max())
    assert points.max() > TOP * idf / 10
    assert value("points_after") == pytest.approx([TOP * idf / 10, 0, 0, idf / 10, 0, 0])
    rare, common = np.log(1 + 1.5 / 1.5), np.log(1 + 0.5 / 2.5)
    first = rare * 3 * 2.2 / 4.2 + common
    assert value("points_session") == pytest.approx([first / 10] * 3 + [common / 10] * 3)


def test_words_of_whole_sessions() -> None:
    """Of two sessions both hold the second term, one the first: it tells them apart."""
    assert value("session_coverage") == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5])
    rare, common = np.log(1 + 1.5 / 1.5), np.log(1 + 0.5 / 2.5)
    first, second = rare * 3 * 2.2 / 4.2 + common, common
    expected = [1.0] * 3 + [second / first] * 3
    assert value("bm25_session") == pytest.approx(expected)


def test_meaning_is_between_the_typical_and_the_nearest() -> None:
    """Four of six differ in half of their signs (cosine 0), one in none, one in two (cosine .5)."""
    assert value("similarity") == pytest.approx([0, 1, 0, 0, 0.5, 0])
    assert value("session_similarity") == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5])
    code = np.cos(np.pi * 2 / 8)
    assert value("similarity_first") == pytest.approx([0, 1, 0, 0, 0.5, 0])
    assert value("similarity_mean") == pytest.approx([0, 1, 0, 0, code, 0])
    # What is ranked itself is known by its vector.
    assert value("similarity_before") == pytest.approx([0, 0, 1, 0, 0, 0.5])
    assert value("similarity_after") == pytest.approx([1, 0, 0, 0.5, 0, 0])


def test_traits_and_sizes() -> None:
    assert value("tells") == [1, 0, 0, 0, 0, 0]
    assert value("asks") == [0, 0, 1, 0, 0, 0]
    assert value("assistant") == [0, 0, 0, 1, 0, 0]
    assert value("names_time") == [0] * 6
    assert value("names_time", evidence("when was the radio in the harbour?")) == [0, 1, 0, 0, 0, 0]
    assert value("length") == pytest.approx([0.1, 0.2, 0.5, 1, 1, 0])
    assert value("passages") == [0] * 6


def test_who_is_named_speaks_and_is_not_looked_for() -> None:
    named = evidence("ada harbour")
    assert named.named == {"ada"}
    assert named.words.idf[0] == 0
    assert value("speaker", named) == [1, 1, 1, 0, 0, 0]
    assert value("bm25_coverage", named) == pytest.approx([0, 1, 0, 0, 1, 0])
    # Who speaks says nothing where nobody is named, or nobody else speaks.
    assert value("speaker") == [0] * 6
    assert value("speaker", evidence("ada harbour", speakers=["Ada"] * 6)) == [0] * 6


def test_a_name_alone_is_looked_for() -> None:
    named = about(
        Question(("ada", "bo"), np.ones(DIMS, np.float32), (), 0.0, False), ["Ada", "Bo"] * 3
    )
    assert named.named == {"ada", "bo"}
    assert (named.words.idf > 0).all()


def test_novelty_and_precedence_look_back() -> None:
    """Messages 1, 3, 4 and 6 have one vector; the second is ⟂ to it, the fifth half-way to both."""
    assert value("novelty") == pytest.approx([1, 1, 0, 0, 0.5, 0], abs=1e-6)
    # Earlier ones as near to the query: of the last, all five.
    assert value("precedence") == pytest.approx(np.exp(-np.array([0, 0, 2, 3, 1, 5]) / 5).tolist())
    assert value("slow_precedence")[5] == pytest.approx(np.exp(-5 / 15))


def test_a_date_that_is_named() -> None:
    days = value("date", evidence("radio on 20 March 2024"))
    # It is the day of the third; 1 and 2 days before fade by 4 days, those after by 10.
    expected = np.exp([-2 / 4, -1 / 4, 0, 0, -1 / 10, -2 / 10])
    assert days == pytest.approx(expected.tolist(), abs=1e-3)
    assert value("date") == [0] * 6


def test_without_an_embedding_meaning_says_nothing() -> None:
    question = read_question("radio harbour", None, ASKED_AT)
    given = evidence()
    talk = Talk.around(given.words, None, given.things)
    silent = evidence_of(question, talk, None, np.arange(6), units(["A"] * 6))
    for name in ("similarity", "similarity_before", "similarity_mean", "feedback", "memory"):
        assert value(name, silent) == [0] * 6
    assert value("bm25", silent) == value("bm25")


def test_the_score_is_the_sum_of_the_shares() -> None:
    profile = Profile("p", "", {"bm25": Weight(1, 1), "asks": Weight(2, 2), "tells": Weight(0, 0)})
    ranking = rank(evidence(), profile, 4.0)
    assert ranking.order == [2, 1, 0, 4, 3, 5]  # equals by place
    assert [ranking.score(index) for index in ranking.order[:3]] == pytest.approx([2, 1, 1 / TOP])
    shares = ranking.shares(2)
    assert [each.name for each in shares] == ["bm25", "asks"]
    assert sum(each.share for each in shares) == pytest.approx(ranking.score(2))


def test_weights_blend_between_short_and_long() -> None:
    weight = Weight(short=1.0, long=3.0)
    blended = [blend(weight, mean) for mean in (0, 15, 22.5, 30, 99)]
    assert blended == pytest.approx([1, 1, 2, 3, 3])


def test_the_default_profile_weighs_signals_that_there_are() -> None:
    assert set(BUILT_IN["default"].signals) <= set(SIGNALS)
    assert all(callable(getattr(Signals, name)) for name in SIGNALS)


def directions(given: Evidence) -> NDArray[np.float32]:
    vectors = given.units.vectors
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_leaders_are_those_that_come_first_by_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_TO_LEAD", 3)
    given = evidence()
    profile = Profile("p", signals={"bm25": Weight(1.0, 1.0), "leaders": Weight(0.5, 0.5)})
    ranking = rank(given, profile, 4.0)
    vectors = directions(given)
    # Two of six lead: those with the highest BM25.
    best = np.argsort(-np.array(value("bm25", given)), kind="stable")[:2]
    middle = vectors[best].mean(axis=0)
    expected = vectors @ (middle / np.linalg.norm(middle))
    shares = [ranking.shares(index)[-1] for index in range(len(PLACES))]
    assert {share.name for share in shares} == {"leaders"}
    assert [share.value for share in shares] == pytest.approx(expected.tolist(), abs=1e-6)
    for index in range(len(PLACES)):
        total = sum(share.share for share in ranking.shares(index))
        assert ranking.totals[index] == pytest.approx(total)


def test_of_a_few_none_leads() -> None:
    given = evidence()
    assert Signals(given).leaders(np.arange(6.0)).tolist() == [0] * 6


def test_what_has_no_vector_yet_is_not_put_back_by_leaders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_TO_LEAD", 3)
    given = evidence()
    totals = np.array([5.0, 4.0, 0, 0, 0, 0])
    whole = Signals(given).leaders(totals)
    given.units.similarities[5] = np.nan
    said = Signals(given).leaders(totals)
    assert said[:5] == pytest.approx(whole[:5])
    assert said[5] == pytest.approx(whole[:5].mean())


def test_the_neuromem_profile_fuses_ranks() -> None:
    assert BUILT_IN["neuromem"].fusion == "reciprocal_ranks"
