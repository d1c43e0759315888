"""Transcripts to ingest, and questions to ask, from files of a person's own."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

SAMPLE = Path(__file__).parent / "sample.jsonl"
QUESTIONS = 12
# Categories of questions that have no answer in the transcript, by the usual numbering.
UNANSWERABLE = 5


class TranscriptError(Exception):
    """A file is not what it must be. The message names the file, the line and the mend."""


class Turn(BaseModel):
    """One line of a transcript. Other fields of the line are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    session: str = Field(min_length=1, max_length=256)
    role: str
    content: str = Field(min_length=1)
    time: AwareDatetime
    speaker: str = ""
    id: str = ""


class Question(BaseModel):
    """One question; `evidence` are the ids of the turns that answer it, where they are known."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str = Field(min_length=1)
    evidence: tuple[str, ...] = ()
    category: int | str | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation of several sessions, and what to ask of it."""

    name: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]

    @property
    def sessions(self) -> dict[str, list[Turn]]:
        """The turns by session, in the order of the file."""
        found: dict[str, list[Turn]] = {}
        for turn in self.turns:
            found.setdefault(turn.session, []).append(turn)
        return found

    @property
    def speakers(self) -> list[str]:
        """Who speaks, the most talkative first."""
        return [
            name for name, _ in Counter(t.speaker for t in self.turns if t.speaker).most_common()
        ]

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The times of the first and the last turn."""
        times = [turn.time for turn in self.turns]
        return min(times), max(times)


def read_transcript(path: Path | None, questions: Path | None) -> Transcript:
    """Reads a transcript (default: the sample) and its questions.

    Questions come from `questions`, else from NAME.questions.json beside the transcript, else
    they ask about those who speak. TranscriptError if a file is not of the right form.
    """
    source = path or SAMPLE
    turns = _turns(source)
    beside = source.with_name(source.stem + ".questions.json")
    if questions is not None or beside.exists():
        asked = _questions(questions or beside)
    else:
        asked = _general_questions(turns)
    return Transcript(source.stem, turns, asked)


def _turns(path: Path) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                turns.append(Turn.model_validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                field = ".".join(str(part) for part in first["loc"]) or "line"
                raise TranscriptError(
                    f"{path}, line {number}: {field}: {first['msg']}. A line is a JSON object "
                    'with "session", "role", "content", "time" (with a zone) and perhaps "speaker".'
                ) from None
    if not turns:
        raise TranscriptError(f"{path} holds no messages")
    return tuple(turns)


def _questions(path: Path) -> tuple[Question, ...]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        found = TypeAdapter(list[Question]).validate_python(content)
    except (json.JSONDecodeError, ValidationError) as error:
        raise TranscriptError(f'{path} is no JSON list of {{"question": …}}: {error}') from None
    answerable = [each for each in found if each.category != UNANSWERABLE]
    # A dozen from all over the list, not its first page.
    step = max(1, len(answerable) // QUESTIONS)
    return tuple(answerable[::step][:QUESTIONS])


def _general_questions(turns: tuple[Turn, ...]) -> tuple[Question, ...]:
    names = list(dict.fromkeys(turn.speaker for turn in turns if turn.speaker))[:3] or ["the user"]
    asked = ("Where does {} live?", "Where does {} work?", "What does {} like?", "How is {}?")
    return tuple(Question(question=each.format(name)) for name in names for each in asked)
