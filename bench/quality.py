"""How much of the evidence is found: transcripts go in, their questions are asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import Progress

from bench import ranking, report
from bench.engines import Answer, EngineName, Reads, Source, Taken, engine
from bench.measuring import percentile
from bench.ranking import Scores
from bench.transcripts import Conversation, Question, read_folder
from services.text.tokens import estimate_tokens

TOKENS_AT = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """One question, what it scored, and what the answer cost."""

    question: Question
    scores: Scores
    tokens: int
    milliseconds: float
    degraded: bool


@dataclass(frozen=True, slots=True)
class Read:
    """One conversation: how long it took to be taken in, and its questions."""

    name: str
    turns: int
    taken: Taken
    judged: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """What to measure: `ks` are the depths, `source` what the system is asked for.

    `profile` is the system's ranking profile, or a TOML file of one; empty: the default one.
    """

    folders: tuple[Path, ...]
    engine: EngineName = "mnema"
    source: Source = "messages"
    ks: tuple[int, ...] = (5, 10, 20)
    profile: str = ""


async def run(options: Quality) -> dict[str, object]:
    """Reads every folder, asks every question, shows the tables; the figures by folder.

    TranscriptError before anything is started when a folder is not as it must be.
    """
    folders = [(folder, read_folder(folder)) for folder in options.folders]
    results: dict[str, object] = {}
    async with engine(options.engine, options.source, options.profile) as reads:
        for folder, conversations in folders:
            with report.progress() as bar:
                read = [await _judge(reads, each, options, bar) for each in conversations]
            results[str(folder)] = _show(folder, read, options)
    report.write(
        _suite(options),
        {
            "engine": options.engine,
            "source": options.source if options.engine == "mnema" else None,
            "profile": (options.profile or "default") if options.engine == "mnema" else None,
            "k": options.ks,
        },
        results,
    )
    return results


def _suite(options: Quality) -> str:
    """The file's name: what is measured by default is plain "quality"."""
    if options.engine != "mnema":
        return f"quality-{options.engine}"
    return "quality" if options.source == "messages" else f"quality-{options.source}"


async def _judge(reads: Reads, conversation: Conversation, options: Quality, bar: Progress) -> Read:
    task = bar.add_task(f"{conversation.name}: read", total=len(conversation.turns))
    asked = await reads.read(conversation, lambda turns: bar.advance(task, turns))
    bar.update(task, visible=False)
    limit = max(*options.ks, TOKENS_AT)
    judged = []
    for question in bar.track(conversation.questions, description=f"{conversation.name}: ask"):
        answer = await asked.ask(question.question, limit)
        judged.append(_judged(question, answer, options.ks))
    return Read(conversation.name, len(conversation.turns), asked.taken, tuple(judged))


def _judged(question: Question, answer: Answer, ks: Sequence[int]) -> Judged:
    ranked = [each.turns for each in answer.results]
    return Judged(
        question,
        ranking.score(ranked, frozenset(question.evidence), ks),
        sum(estimate_tokens(each.text) for each in answer.results[:TOKENS_AT]),
        answer.milliseconds,
        answer.degraded,
    )


def figures(judged: Sequence[Judged], ks: Sequence[int]) -> dict[str, float]:
    """The averages of some questions, by the tables' column names."""
    times = [each.milliseconds for each in judged]
    return {
        **ranking.mean([each.scores for each in judged], ks),
        f"tokens@{TOKENS_AT}": float(np.mean([float(each.tokens) for each in judged] or [np.nan])),
        "p50 ms": percentile(times, 50),
        "p95 ms": percentile(times, 95),
    }


def _show(folder: Path, read: Sequence[Read], options: Quality) -> dict[str, object]:
    every = [judged for each in read for judged in each.judged]
    by_conversation = {each.name: figures(each.judged, options.ks) for each in read}
    by_category = {
        category: figures([j for j in every if str(j.question.category) == category], options.ks)
        for category in sorted({str(judged.question.category) for judged in every})
    }
    total = figures(every, options.ks)
    turns = sum(each.turns for each in read)
    counts = {each.name: len(each.judged) for each in read}
    rows: list[list[object]] = [
        [name, counts[name], *_cells(row)] for name, row in by_conversation.items()
    ]
    rows.append(["all", len(every), *_cells(total)])
    what = options.engine if options.engine != "mnema" else f"mnema, {options.source}"
    if options.engine == "mnema" and options.profile:
        what += f", {options.profile}"
    ready = turns / sum(each.taken.ready for each in read)
    degraded = sum(each.degraded for each in every)
    note = f"{turns:,} turns, {ready:,.0f} a second until ready"
    if degraded:
        note += f"; {degraded} answers lacked an arm"
    name = "/".join(folder.resolve().parts[-2:])
    report.show(f"{name}: {what}", ["conversation", "asked", *total], rows, note)
    by: list[list[object]] = [
        [name, sum(str(j.question.category) == name for j in every), *_cells(row)]
        for name, row in by_category.items()
    ]
    report.show("by category", ["category", "asked", *total], by)
    return {
        "questions": len(every),
        "turns": turns,
        "turns_per_second_acknowledged": turns / sum(each.taken.acknowledged for each in read),
        "turns_per_second_ready": ready,
        "degraded_answers": degraded,
        "total": total,
        "conversations": by_conversation,
        "categories": by_category,
    }


def _cells(row: dict[str, float]) -> list[object]:
    exact = (f"tokens@{TOKENS_AT}", "p50 ms", "p95 ms")
    return [value if name in exact else report.Share(value) for name, value in row.items()]
