"""The quality suite as a person runs it, on a folder of a few turns."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.environment import CHECKOUT

TURNS = [
    ("t1", "monday", "Ada", "I adopted a grey parrot called Figaro."),
    ("t2", "monday", "Bruno", "My sister moved to Valparaíso last winter."),
    ("t3", "tuesday", "Ada", "The dentist pulled my wisdom tooth."),
    ("t4", "tuesday", "Bruno", "We are learning the accordion together."),
    ("t5", "tuesday", "Ada", "The allotment has a waiting list of four years. " * 60),
]
QUESTIONS = [
    {"question": "What is the parrot called?", "evidence": ["t1"], "category": 1},
    {"question": "Where did Bruno's sister move?", "evidence": ["t2"], "category": 2},
    {"question": "Who plays the accordion?", "evidence": ["t4"], "category": 2},
    {"question": "How long is the allotment's waiting list?", "evidence": ["t5"], "category": 1},
    {"question": "Which car does Ada drive?", "evidence": ["t1"], "category": 5},
]


@pytest.fixture
def transcripts(tmp_path: Path) -> Path:
    folder = tmp_path / "transcripts"
    folder.mkdir()
    lines = [
        json.dumps(
            {
                "id": turn_id,
                "session": session,
                "speaker": speaker,
                "role": "user",
                "content": content,
                "time": f"2024-03-0{number}T10:00:00Z",
            }
        )
        for number, (turn_id, session, speaker, content) in enumerate(TURNS, 1)
    ]
    (folder / "talk.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "talk.questions.json").write_text(json.dumps(QUESTIONS), encoding="utf-8")
    return folder


@pytest.mark.feature("X08")
@pytest.mark.parametrize("source", ["messages", "merged"])
def test_evidence_is_found_and_the_figures_are_written(transcripts: Path, source: str) -> None:
    arguments = ("quality", str(transcripts), "--source", source, "--k", "1,5")
    ended = subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=transcripts.parent,  # where build/bench is made
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "by category" in ended.stdout
    suite = "quality" if source == "messages" else "quality-merged"
    written = json.loads((transcripts.parent / "build" / "bench" / f"{suite}.json").read_text())
    figures = written["results"][str(transcripts)]
    assert figures["questions"] == 4
    assert figures["turns"] == len(TURNS)
    assert figures["degraded_answers"] == 0
    assert figures["total"]["R@5"] == 1.0
    assert figures["total"]["MRR"] >= 0.75
    assert figures["total"]["p50 ms"] > 0
    assert set(figures["categories"]) == {"1", "2"}
    assert set(figures["conversations"]) == {"talk"}
