"""Folders of transcripts with questions whose answers are known."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

UNANSWERABLE = 5
"""LoCoMo's category of questions that the conversation does not answer."""

BATCH_TURNS = 100
BATCH_CHARACTERS = 2_000_000
"""Of one IngestBatch: far below the server's 16 MiB, also in UTF-8."""


class TranscriptError(Exception):
    """A file is not what it must be; the message says which and how to mend it."""


class Turn(BaseModel):
    """One line of `<name>.jsonl`. Other fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = Field(min_length=1)
    session: str = Field(min_length=1)
    role: str
    content: str = Field(min_length=1)
    time: AwareDatetime
    speaker: str = ""


class Question(BaseModel):
    """One entry of `<name>.questions.json`; `evidence` are ids of turns."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str = Field(min_length=1)
    evidence: tuple[str, ...] = ()
    category: int | str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A transcript and those of its questions that can be scored."""

    name: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]

    def batches(self) -> Iterator[tuple[str, list[Turn]]]:
        """The turns as they are ingested: session by session, in order, so many at once."""
        sessions: dict[str, list[Turn]] = {}
        for turn in self.turns:
            sessions.setdefault(turn.session, []).append(turn)
        for session, turns in sessions.items():
            for batch in _cut(turns):
                yield session, batch


def read_folder(folder: Path) -> list[Conversation]:
    """Every `<name>.jsonl` that has a `<name>.questions.json` beside it, by name.

    Left out are questions without evidence and those of category 5, which have no answer.
    TranscriptError when there is none or a file is malformed.
    """
    found = [
        _read(path)
        for path in sorted(folder.glob("*.jsonl"))
        if path.with_name(f"{path.stem}.questions.json").exists()
    ]
    if not found:
        raise TranscriptError(f"{folder} holds no NAME.jsonl with a NAME.questions.json beside it")
    return found


def _read(path: Path) -> Conversation:
    lines = path.read_text(encoding="utf-8").split("\n")
    beside = path.with_name(f"{path.stem}.questions.json")
    try:
        turns = tuple(Turn.model_validate_json(line) for line in lines if line.strip())
        content: Any = json.loads(beside.read_text(encoding="utf-8"))
        questions = TypeAdapter(tuple[Question, ...]).validate_python(content)
    except (ValidationError, json.JSONDecodeError) as error:
        raise TranscriptError(f"{path} or its questions are malformed: {error}") from None
    known = {turn.id for turn in turns}
    if len(known) != len(turns):
        raise TranscriptError(f"{path}: two turns have the same id")
    asked = tuple(each for each in questions if each.evidence and each.category != UNANSWERABLE)
    for question in asked:
        if not known.issuperset(question.evidence):
            raise TranscriptError(
                f"{beside}: {question.question!r} names turns that are not there: "
                f"{sorted(set(question.evidence) - known)}"
            )
    return Conversation(path.stem, turns, asked)


def _cut(turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    batch: list[Turn] = []
    characters = 0
    for turn in turns:
        full = len(batch) == BATCH_TURNS or characters + len(turn.content) > BATCH_CHARACTERS
        if batch and full:
            yield batch
            batch, characters = [], 0
        batch.append(turn)
        characters += len(turn.content)
    if batch:
        yield batch
