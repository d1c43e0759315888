"""What lexical search indexes and looks up."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.text.terms import (
    MAX_QUERY_TERMS,
    MAX_TERM_CHARS,
    MAX_TERMS,
    analyze,
    query_terms,
)
from tests.patience import function_calls


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Melanie painted a sunrise", "painting"),
        ("She runs marathons", "running marathon"),
        ("Alice's brother", "alice"),
        ("Alice’s brother", "alice"),
        ("We met at the café in Zürich", "CAFE zurich"),
        ("STRASSE", "straße"),
        ("ﬁnally ＡＢＣ", "finally abc"),
        ("O'Brien called", "obrien"),
        ("l'homme qui rit", "homme"),
        ("set max_retries in foo.bar", "max retries bar"),
        ("It costs 1,000.50 dollars", "1000.50"),
        ("Upgrade to v1.2.3", "V1.2.3"),
        ("It opens at 7:30pm", "7:30"),
        ("I write C++ and C#", "c++ c#"),
        ("Vitamin D and plan B", "d b"),
        ("The party is in May", "may"),
        ("Я программирую на Питоне", "программируют питон"),
        ("मैं किताबें पढ़ता हूँ", "किताबें"),
        ("私は東京タワーに行った", "東京タワー"),
        ("我喜欢吃寿司", "寿司"),
        ("서울에서 만났다", "서울"),
        ("ฉันชอบภาษาไทย", "ภาษาไทย"),
        ("I like寿司very much", "like 寿司 much"),
    ],
)
def test_what_is_asked_in_another_form_is_found(stored: str, asked: str) -> None:
    assert query_terms(asked)
    assert set(query_terms(asked)) <= set(analyze(stored).frequencies)


@pytest.mark.parametrize(
    ("stored", "asked"),
    [("v1.2.3", "v1.2.4"), ("c++", "c#"), ("7:30", "8:30"), ("tulip", "rose"), ("東京", "京都")],
)
def test_different_things_stay_different(stored: str, asked: str) -> None:
    assert not set(query_terms(asked)) & set(analyze(stored).frequencies)


def test_frequencies_and_length_count_without_stop_words() -> None:
    terms = analyze("The dog and the other dog don't like the cat.")

    assert terms.frequencies == {"dog": 2, "like": 1, "cat": 1}
    assert terms.length == 4


def test_a_text_of_stop_words_only_keeps_them() -> None:
    assert set(query_terms("to be or not to be")) == {"to", "be", "or", "not"}
    assert analyze("To be, or not to be!").frequencies == {"to": 2, "be": 2, "or": 1, "not": 1}
    assert query_terms("Who is he?") == ("who", "is", "he")


@pytest.mark.parametrize("wordless", ["", "  \n", "?!…", "🎉🎉", "\x00"])
def test_a_text_without_a_word_has_no_terms(wordless: str) -> None:
    assert analyze(wordless).frequencies == {}
    assert analyze(wordless).length == 0
    assert query_terms(wordless) == ()


def test_unspaced_scripts_become_overlapping_pairs() -> None:
    assert query_terms("我喜欢猫") == ("我喜", "喜欢", "欢猫")
    assert query_terms("猫") == ("猫",)


def test_query_terms_keep_their_order_come_once_and_are_limited() -> None:
    assert query_terms("zebra apple zebra") == ("zebra", "appl")
    assert len(query_terms(" ".join(f"word{n}" for n in range(500)))) == MAX_QUERY_TERMS
    assert query_terms("one apple pie", limit=1) == ("one",)


def test_a_very_long_word_still_finds_itself() -> None:
    word = "z9" * 400

    assert query_terms(word) == tuple(analyze(word).frequencies)
    assert len(query_terms(word)[0]) == MAX_TERM_CHARS


def test_the_terms_of_one_text_are_limited_and_the_frequent_ones_kept() -> None:
    text = "keepme keepme " + " ".join(f"w{n}" for n in range(MAX_TERMS + 1000))

    terms = analyze(text)

    assert len(terms.frequencies) == MAX_TERMS
    assert terms.frequencies["keepm"] == 2
    assert terms.length == sum(terms.frequencies.values())


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_terms_of_any_text_are_clean_and_the_same_on_both_sides(text: str) -> None:
    terms = analyze(text)

    assert terms.length == sum(terms.frequencies.values())
    for term in terms.frequencies:
        assert term
        assert len(term) <= MAX_TERM_CHARS
        assert "\x00" not in term
        assert not any(each.isspace() for each in term)
        term.encode()
    assert query_terms(text, limit=10_000) == tuple(terms.frequencies)


def test_threads_do_not_mix_up_their_stems() -> None:
    words = [f"{head}{tail}" for head in ("paint", "walk", "jump", "cook", "play")
             for tail in ("ing", "ed", "s", "er", "ers")]  # fmt: skip
    alone = [query_terms(word + " unseen") for word in words]
    found: list[list[tuple[str, ...]]] = []

    def work() -> None:
        from services.text.stems import stem  # noqa: PLC0415 - the cache is this test's subject

        stem.cache_clear()
        found.append([query_terms(word + " unseen") for word in words * 20])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [alone * 20] * 8


def test_short_messages_cost_little_to_ingest() -> None:
    messages = [
        f"I went to the support group number {n} yesterday and it was so powerful for us all"
        for n in range(4000)
    ]

    def work() -> None:
        for message in messages:
            analyze(message)

    # Some 40 each: two for a word; a word that is stemmed for the first time costs some 80 more.
    assert function_calls(work) < 80 * len(messages)
