"""A ranking profile fitted to transcripts: what each signal should count, by the public API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.progress import Progress

from bench import profiles, ranking, report
from bench.engines import take_in
from bench.fitting import KS, Example, FitError, Values, cross_check, fit, judge, scaled
from bench.ranking import Scores
from bench.system import SEARCH, System, home_of, running
from bench.transcripts import Conversation, Question, read_folder
from mnema.v1 import vector_service_pb2 as pb

HITS = 200
"""What a question's evidence is told apart from: as many hits as one search returns, and all
that it ranks."""

_OF_EXTRACTION = "memory"
# What it says depends on the weights of all others: its own stays as it is.
_OF_ALL_OTHERS = "leaders"

_EQUAL = "equal"
_COLUMNS = [*(f"R@{k}" for k in KS), "MRR"]


@dataclass(frozen=True, slots=True)
class Fit:
    """The transcripts to fit to, folders by the anchor whose weights they decide."""

    short: tuple[Path, ...]
    long: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """A conversation that the system has read, as its user; `turn_of` is by message id."""

    user_id: str
    conversation: Conversation
    turn_of: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fitted:
    """An anchor's weights, in the order of the signals, and what they were fitted to."""

    weights: Values
    conversations: tuple[tuple[Example, ...], ...]

    @property
    def examples(self) -> list[Example]:
        """The questions of all conversations."""
        return [example for each in self.conversations for example in each]


async def run(options: Fit) -> Path:
    """Reads the folders, asks every question, fits, shows the tables; where the profile is.

    TranscriptError before anything is started when a folder is not as it must be, FitError
    when nothing can be learnt.
    """
    anchors = {"short": options.short, "long": options.long}
    read = {anchor: [*map(read_folder, folders)] for anchor, folders in anchors.items()}
    examples: dict[str, list[tuple[Example, ...]]] = {}
    with home_of(None) as home:
        async with running(home, {"MNEMA_EXTRACTION__DELAY_SECONDS": "0.1"}) as system:
            default = await profiles.stored(system, "default")
            signals = sorted(default.signals.keys() - {_OF_ALL_OTHERS})
            # Every signal must count, or what it says is not answered; how much is no matter.
            await profiles.store(system, profiles.profile(_EQUAL, dict.fromkeys(signals, (1, 1))))
            with report.progress() as bar:
                for anchor, folders in read.items():
                    taken = await _take_in(system, anchor, folders, bar)
                    examples[anchor] = [await _ask(system, each, signals, bar) for each in taken]
    with report.console.status("fitting"):
        fitted = {anchor: _fit(anchor, each) for anchor, each in examples.items()}
        _show(fitted, default, signals)
    return _write(fitted, default, signals)


async def _take_in(
    system: System, anchor: str, folders: Sequence[Sequence[Conversation]], bar: Progress
) -> list[Collection]:
    """Ingests every conversation and waits until memories were made of all: a signal reads them."""
    taken = [
        await _read(system, f"{anchor}-{number}-{each.name}", each, bar)
        for number, conversations in enumerate(folders)
        for each in conversations
    ]
    for collection in bar.track(taken, description=f"{anchor}: extract"):
        await system.extracted(collection.user_id)
    return taken


async def _read(
    system: System, user_id: str, conversation: Conversation, bar: Progress
) -> Collection:
    task = bar.add_task(f"{conversation.name}: read", total=len(conversation.turns))
    turn_of = await take_in(system, user_id, conversation, lambda turns: bar.advance(task, turns))
    bar.update(task, visible=False)
    return Collection(user_id, conversation, turn_of)


async def _ask(
    system: System, collection: Collection, signals: Sequence[str], bar: Progress
) -> tuple[Example, ...]:
    asked = bar.track(
        collection.conversation.questions, description=f"{collection.conversation.name}: ask"
    )
    examples = [await _example(system, collection, each, signals) for each in asked]
    return (*examples, *(_unextracted(each, signals) for each in examples))


def _unextracted(example: Example, signals: Sequence[str]) -> Example:
    """The same where extraction is off: weights must do with memories and without."""
    silent = np.array([name == _OF_EXTRACTION for name in signals])
    return replace(example, values=np.where(silent, 0.0, example.values))


async def _example(
    system: System, collection: Collection, question: Question, signals: Sequence[str]
) -> Example:
    request = pb.SearchRequest(
        user_id=collection.user_id,
        query=question.question,
        limit=HITS,
        kinds=[pb.ITEM_KIND_MESSAGE],
        ranking_profile=_EQUAL,
        explain=True,
    ).SerializeToString()
    found = pb.SearchResponse.FromString(await system.call(SEARCH)(request))
    if found.degraded:
        raise FitError(f"{question.question!r} was only partly answered: {found.degraded_reason}")
    return Example(
        evidence=frozenset(question.evidence),
        turns=tuple(collection.turn_of[hit.message.message_id] for hit in found.hits),
        values=_values(found.hits, signals),
    )


def _values(hits: Sequence[pb.SearchHit], signals: Sequence[str]) -> Values:
    """What the signals say, a row for each hit; KeyError if one says nothing."""
    said = [{share.name: share.value for share in hit.relevance.signals} for hit in hits]
    rows = [[each[name] for name in signals] for each in said]
    return np.array(rows, np.float64).reshape(len(rows), len(signals))


def _fit(anchor: str, conversations: Sequence[tuple[Example, ...]]) -> Fitted:
    examples = [example for each in conversations for example in each]
    try:
        weights = scaled(fit(examples), examples)
    except FitError as error:
        raise FitError(f"{anchor}: {error}") from None
    return Fitted(weights, tuple(conversations))


def _show(fitted: Mapping[str, Fitted], default: pb.RankingProfile, signals: Sequence[str]) -> None:
    """What the weights find, beside the default profile's, and the weights themselves."""
    rows: list[list[object]] = []
    for anchor, each in fitted.items():
        stands = np.array([getattr(default.signals[name], anchor) for name in signals])
        rows.append(_row(f"{anchor}: default profile", judge(each.examples, stands)))
        rows.append(_row(f"{anchor}: fitted, in sample", judge(each.examples, each.weights)))
        if len(each.conversations) > 1:
            left_out = cross_check(each.conversations, each.weights)
            rows.append(_row(f"{anchor}: fitted, left out", left_out))
    report.show(
        "questions' evidence among hits",
        ["weights", "asked", *_COLUMNS],
        rows,
        "left out: each conversation by weights fitted to the others; every question counts twice, "
        "with the memories that were extracted and without",
    )
    weights: list[list[object]] = [
        [name, *(report.Share(each.weights[at]) for each in fitted.values())]
        for at, name in enumerate(signals)
    ]
    report.show("weights", ["signal", *fitted], weights)


def _row(name: str, scores: Sequence[Scores]) -> list[object]:
    figures = ranking.mean(scores, KS)
    return [name, len(scores), *(report.Share(figures[column]) for column in _COLUMNS)]


def _write(
    fitted: Mapping[str, Fitted], default: pb.RankingProfile, signals: Sequence[str]
) -> Path:
    """Writes build/bench/profile.toml: the fitted weights, all else as in the default profile."""
    pairs = zip(fitted["short"].weights.tolist(), fitted["long"].weights.tolist(), strict=True)
    weights = dict(zip(signals, pairs, strict=True))
    if _OF_ALL_OTHERS in default.signals:
        kept = default.signals[_OF_ALL_OTHERS]
        weights[_OF_ALL_OTHERS] = (kept.short, kept.long)
    made = profiles.profile("fitted", weights, default.factors, default.description)
    asked = " and ".join(
        f"{len(each.examples) // 2} questions of {len(each.conversations)} {anchor} conversations"
        for anchor, each in fitted.items()
    )
    comment = f"Fitted by python -m bench fit on {datetime.now(UTC):%Y-%m-%d} to {asked}."
    text = profiles.written(made, comment)
    report.RESULTS.mkdir(parents=True, exist_ok=True)
    path = report.RESULTS / "profile.toml"
    path.write_text(text, encoding="utf-8")
    report.console.print(text, highlight=False, markup=False)
    report.console.print(f"[dim]written to {path}[/]")
    return path
