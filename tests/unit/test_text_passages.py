"""Passages are true pieces of the text, lose nothing, and never grow too long."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.text.passages import MIN_MAX_CHARS, Passage, split_passages

STORY = (
    "Alice moved to Lisbon in March. She rents a flat near the river. "
    "Her sister Clara visits every summer. They cook together on Sundays.\n"
)

# Words, sentence marks, Markdown and white space in any order, beside plain Unicode noise.
texts = st.one_of(
    st.text(max_size=400),
    st.lists(
        st.sampled_from(
            [
                "word ",
                "Long-ish-word",
                ". ",
                "! ",
                "。",
                "我喜欢",
                "\n",
                "\n\n",
                "# ",
                "- ",
                "1. ",
                "```\n",
                "~~~",
                "    ",
                "\t",
                "\u200b",
                "e\u0301",
                "👩‍👩‍👧",
                "Dr. ",
                "...",
                "x" * 50,
            ]
        ),
        max_size=120,
    ).map("".join),
)


@settings(max_examples=300, deadline=None)
@given(texts, st.integers(MIN_MAX_CHARS, 200), st.integers(0, 80))
def test_passages_are_pieces_that_cover_all_that_is_not_blank(
    text: str, max_chars: int, overlap: int
) -> None:
    passages = split_passages(text, max_chars=max_chars, overlap_chars=overlap)

    covered: set[int] = set()
    for position, passage in enumerate(passages):
        assert passage.position == position
        assert passage.text == text[passage.start : passage.end]
        assert 0 < len(passage.text) <= max_chars
        assert passage.text.strip() == passage.text
        covered.update(range(passage.start, passage.end))
    assert all(text[index].isspace() for index in range(len(text)) if index not in covered)
    starts = [passage.start for passage in passages]
    ends = [passage.end for passage in passages]
    assert starts == sorted(starts)
    assert ends == sorted(set(ends)), "each passage says something the one before did not"


def test_a_text_that_fits_is_one_passage() -> None:
    assert split_passages(STORY) == (Passage(0, 0, len(STORY) - 1, STORY.strip()),)


@pytest.mark.parametrize("blank", ["", " ", "\n\n\t\u2003\n"])
def test_a_blank_text_has_no_passage(blank: str) -> None:
    assert split_passages(blank) == ()


def test_neighbours_share_a_sentence() -> None:
    passages = split_passages(STORY * 4, max_chars=150)

    for before, after in pairwise(passages):
        assert after.start < before.end
        assert (STORY * 4)[after.start : before.end].count(".") == 1


def test_without_overlap_no_character_is_in_two_passages() -> None:
    passages = split_passages(STORY * 4, max_chars=150, overlap_chars=0)

    for before, after in pairwise(passages):
        assert before.end <= after.start


def test_a_heading_opens_a_passage_and_nothing_is_repeated_before_it() -> None:
    text = f"# Home\n\n{STORY}\n# Work\n\nShe is a nurse. {STORY}"

    first, *rest = split_passages(text, max_chars=220)

    assert first.text.startswith("# Home")
    assert rest[0].text.startswith("# Work")


def test_a_paragraph_is_not_torn_when_the_next_passage_holds_it() -> None:
    short, whole = STORY.strip(), "Bob keeps bees. He sells the honey on the market in May."
    text = f"{short}\n\n{whole}"

    passages = split_passages(text, max_chars=len(short) + 20, overlap_chars=0)

    assert [passage.text for passage in passages] == [short, whole]


def test_code_stays_together_and_is_cut_between_lines() -> None:
    lines = "".join(f"value_{n} = compute({n}). then(x)\n" for n in range(20))
    code = f"```python\n{lines}```"

    passages = split_passages(f"Look:\n\n{code}\n", max_chars=200, overlap_chars=0)

    assert all(passage.text.endswith(("then(x)", "```")) for passage in passages)


def test_list_items_are_kept_whole() -> None:
    items = [f"- item {n}: water the plants, feed the cat" for n in range(12)]

    passages = split_passages("\n".join(items), max_chars=100, overlap_chars=0)

    lines = [line for passage in passages for line in passage.text.split("\n")]
    assert lines == items


def test_abbreviations_end_no_sentence() -> None:
    text = "We saw Dr. Meyer at noon today. " + "He was kind to us all the time."

    passages = split_passages(text, max_chars=40, overlap_chars=0)

    assert passages[0].text == "We saw Dr. Meyer at noon today."


def test_scripts_without_spaces_get_shorter_passages() -> None:
    chinese = split_passages("我在里斯本住了三年。" * 200, max_chars=800)
    english = split_passages("I lived in Lisbon for three years. " * 200, max_chars=800)

    assert max(len(passage.text) for passage in chinese) <= 200
    assert max(len(passage.text) for passage in english) > 600


@pytest.mark.parametrize(
    "hostile",
    [
        "x" * 500_000,
        "." * 500_000 + "a",
        "\n" * 500_000 + "a",
        "```\n" * 100_000,
        "- " * 200_000,
        '."' * 200_000 + "a",
        "a" + " " * 500_000 + "b",
        "A." * 200_000,
    ],
    ids=["word", "dots", "lines", "fences", "items", "quotes", "spaces", "initials"],
)
def test_hostile_texts_take_linear_time(hostile: str) -> None:
    begun = time.process_time()

    passages = split_passages(hostile)

    assert passages
    assert time.process_time() - begun < 30  # under 1 s, or many minutes


@pytest.mark.parametrize(("max_chars", "overlap"), [(15, 0), (900, -1)])
def test_impossible_sizes_are_refused(max_chars: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlapping"):
        split_passages("text", max_chars=max_chars, overlap_chars=overlap)
