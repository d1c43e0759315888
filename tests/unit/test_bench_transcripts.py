"""Folders of transcripts, as the quality suite reads them."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.transcripts import BATCH_TURNS, TranscriptError, read_folder


def turn(number: int, **other: str) -> dict[str, str]:
    return {
        "id": f"t{number}",
        "session": "one",
        "speaker": "Ada",
        "role": "user",
        "content": f"turn {number}",
        "time": "2024-03-01T10:00:00Z",
        **other,
    }


def write(folder: Path, turns: list[dict[str, str]], questions: list[dict[str, Any]]) -> None:
    lines = "\n".join(json.dumps(each, ensure_ascii=False) for each in turns)
    (folder / "talk.jsonl").write_text(lines + "\n", encoding="utf-8")
    (folder / "talk.questions.json").write_text(json.dumps(questions), encoding="utf-8")


def test_questions_that_cannot_be_scored_are_left_out(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = [
        {"question": "kept", "evidence": ["t1"], "category": 2},
        {"question": "kept too", "evidence": ["t2", "t1"], "category": "temporal"},
        {"question": "no evidence", "evidence": [], "category": 1},
        {"question": "evidence not given", "category": 1},
        {"question": "no answer", "evidence": ["t1"], "category": 5},
    ]
    write(tmp_path, [turn(1), turn(2)], asked)
    (tmp_path / "without-questions.jsonl").write_text(json.dumps(turn(1)))

    (talk,) = read_folder(tmp_path)

    assert [each.question for each in talk.questions] == ["kept", "kept too"]
    assert talk.name == "talk"


def test_a_line_ends_where_the_file_says(tmp_path: Path) -> None:
    write(tmp_path, [turn(1, content="before\u2028after\u0085end"), turn(2)], [])

    (talk,) = read_folder(tmp_path)

    assert [each.content for each in talk.turns] == ["before\u2028after\u0085end", "turn 2"]


def test_batches_keep_order_and_sessions_apart(tmp_path: Path) -> None:
    turns = [turn(n, session="one" if n % 2 else "two") for n in range(2 * BATCH_TURNS + 20)]
    write(tmp_path, turns, [])

    batches = list(read_folder(tmp_path)[0].batches())

    assert [(session, len(batch)) for session, batch in batches] == [
        ("two", BATCH_TURNS),
        ("two", 10),
        ("one", BATCH_TURNS),
        ("one", 10),
    ]
    assert [each.id for _, batch in batches for each in batch] == [
        f"t{n}" for n in [*range(0, len(turns), 2), *range(1, len(turns), 2)]
    ]


def test_long_turns_make_small_batches(tmp_path: Path) -> None:
    write(tmp_path, [turn(n, content="x" * 900_000) for n in range(3)], [])

    batches = [len(batch) for _, batch in read_folder(tmp_path)[0].batches()]

    assert batches == [2, 1]


@pytest.mark.parametrize(
    ("turns", "questions", "message"),
    [
        ([turn(1, time="yesterday")], [], "malformed"),
        ([turn(1), turn(1)], [], "same id"),
        ([turn(1)], [{"question": "?", "evidence": ["t9"]}], "t9"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    tmp_path: Path, turns: list[dict[str, str]], questions: list[dict[str, Any]], message: str
) -> None:
    write(tmp_path, turns, questions)

    with pytest.raises(TranscriptError, match=message):
        read_folder(tmp_path)


def test_a_folder_without_transcripts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match="holds no"):
        read_folder(tmp_path)
