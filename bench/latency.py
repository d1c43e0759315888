"""How long a recall takes: by the user's size, by the number of clients, and in which stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import Progress

from bench import parts, report, traces
from bench.corpus import Corpus
from bench.loading import Loader, corpus_of
from bench.measuring import Measured, closed_loop
from bench.system import RECALL, System, home_of, running
from mnema.v1.recall_service_pb2 import RecallRequest, RecallResponse

LIMIT = 10
WARM_UP = 20
TRACED = 100
ROOT = "/mnema.v1.RecallService/Recall"


@dataclass(frozen=True, slots=True)
class Latency:
    """What to measure; `calls` a client at each point, `most_seconds` for one point."""

    sizes: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    clients: tuple[int, ...] = (1, 4, 16)
    calls: int = 200
    most_seconds: float = 20.0
    home: Path | None = None


class Questions:
    """Recall requests that were never asked before: no cache knows them."""

    def __init__(self, corpus: Corpus, seed: int = 0) -> None:
        """`seed` makes other questions for another run on the same home."""
        self._corpus = corpus
        self._seed = seed
        self._series = 0

    def recalls(self, user_id: str, count: int, limit: int = LIMIT) -> list[bytes]:
        """So many serialised requests."""
        self._series += 1
        return [
            RecallRequest(user_id=user_id, query=question, limit=limit).SerializeToString()
            for question in self._corpus.questions(count, self._seed + self._series)
        ]


@dataclass(frozen=True, slots=True)
class Point:
    """One line of the table. `lacking` answers had a missing arm, `empty` ones no result."""

    size: int
    way: str
    clients: int
    measured: Measured
    lacking: int
    empty: int

    def figures(self) -> dict[str, object]:
        """For the JSON file."""
        return {
            "memories": self.size,
            "way": self.way,
            "clients": self.clients,
            **self.measured.figures(),
            "answers_lacking_an_arm": self.lacking,
            "empty_answers": self.empty,
        }

    def row(self) -> list[object]:
        """For the table."""
        each = self.measured
        times = [each.percentile(share) for share in (50, 95, 99)]
        wrong = sum(each.failures.values()) + self.lacking + self.empty
        return [self.size, self.way, self.clients, *times, each.per_second, wrong or ""]


COLUMNS = (
    "memories of the user",
    "way",
    "clients",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "a second",
    "incomplete",
)


async def run(options: Latency) -> dict[str, object]:
    """Loads the users, measures, and measures again with traces; shows and writes the figures.

    Traces cost time themselves, so their calls are not those of the first table.
    """
    corpus = await corpus_of()
    with home_of(options.home) as home, report.progress() as bar:
        async with running(home) as system:
            users = await _users(system, corpus, options, bar)
            alone = await parts.measure(system, corpus)
            points = await _points(system, corpus, users, options, bar)
        async with traces.collecting() as collector, running(home, collector.environment) as system:
            staged = await _traced(system, corpus, users, collector)
    parts.show(alone)
    report.show("Recall", COLUMNS, [point.row() for point in points])
    for size, found in staged.items():
        _show_stages(size, found)
    results: dict[str, object] = {
        "parts": [part.figures() for part in alone],
        "points": [point.figures() for point in points],
        "stages": {size: found.figures() for size, found in staged.items()},
    }
    report.write("latency", {"calls": options.calls, "limit": LIMIT}, results)
    return results


async def _users(system: System, corpus: Corpus, options: Latency, bar: Progress) -> dict[int, str]:
    """A user of each size, by size."""
    async with Loader.open(system, corpus) as loader:
        users = {size: await loader.load(size, size, bar) for size in options.sizes}
        await loader.settle()
    return users


async def _points(
    system: System, corpus: Corpus, users: dict[int, str], options: Latency, bar: Progress
) -> list[Point]:
    questions = Questions(corpus)
    points = []
    async with system.direct("recall") as recall_service:
        ways = {"gateway": system.call(RECALL), "direct": system.call(RECALL, recall_service)}
        for size, user_id in users.items():
            for way, call in ways.items():
                await closed_loop(call, questions.recalls(user_id, WARM_UP))
                for clients in options.clients:
                    requests = questions.recalls(user_id, options.calls * clients)
                    task = bar.add_task(f"{size:,} {way} {clients}", total=len(requests))
                    measured = await closed_loop(
                        call,
                        requests,
                        clients=clients,
                        most_seconds=options.most_seconds,
                        answered=lambda task=task: bar.advance(task),  # type: ignore[misc]
                    )
                    bar.remove_task(task)
                    points.append(point(size, way, clients, measured))
    return points


def point(size: int, way: str, clients: int, measured: Measured) -> Point:
    """Looks into the answers, now that no clock runs."""
    answers = [RecallResponse.FromString(each) for each in measured.answers]
    lacking = sum(each.degraded for each in answers)
    empty = sum(not each.vector_results for each in answers)
    return Point(size, way, clients, measured, lacking, empty)


@dataclass(frozen=True, slots=True)
class Staged:
    """The stages of the traced calls; `client_ms` is what their caller saw, at the median."""

    stages: tuple[traces.Stage, ...]
    client_ms: float

    @property
    def server_ms(self) -> float:
        """The median of the recall service's own span."""
        return float(np.median(self.stages[0].total))

    def figures(self) -> dict[str, object]:
        """For the JSON file."""
        return {
            "client_ms": self.client_ms,
            "recall_service_ms": self.server_ms,
            "stages": [
                {
                    "path": each.path,
                    "calls": len(each.total),
                    "p50_ms": float(np.median(each.total)),
                    "own_p50_ms": float(np.median(each.own)),
                }
                for each in self.stages
            ],
        }


async def _traced(
    system: System, corpus: Corpus, users: dict[int, str], collector: traces.Collector
) -> dict[int, Staged]:
    questions = Questions(corpus, seed=10_000)
    calls: dict[int, dict[bytes, float]] = {}
    for size, user_id in users.items():
        await closed_loop(system.call(RECALL), questions.recalls(user_id, WARM_UP))
        calls[size] = {}
        for request in questions.recalls(user_id, TRACED):
            trace_id, metadata = traces.new_trace()
            measured = await closed_loop(system.call(RECALL, metadata=metadata), [request])
            if measured.failures:
                raise RuntimeError(f"a traced recall failed: {measured.failures}")
            (calls[size][trace_id],) = measured.milliseconds
    await collector.wait_for([trace_id for each in calls.values() for trace_id in each], ROOT)
    return {
        size: Staged(
            tuple(traces.stages([collector.spans[trace_id] for trace_id in each], ROOT)),
            float(np.median(list(each.values()))),
        )
        for size, each in calls.items()
    }


def _show_stages(size: int, staged: Staged) -> None:
    outside = staged.client_ms - staged.server_ms
    rows: list[Sequence[object]] = [
        ["the caller", staged.client_ms, outside, f"{outside / staged.client_ms:.0%}"]
    ]
    for stage in staged.stages:
        if len(stage.total) < TRACED / 2:
            continue  # a cache that had run out; the file has it
        own = float(np.median(stage.own))
        name = "  " * len(stage.path) + stage.path[-1][:60]
        rows.append([name, float(np.median(stage.total)), own, f"{own / staged.client_ms:.0%}"])
    note = "medians of traced calls, one client, through the gateway; own: in no stage below it"
    report.show(f"Stages, {size:,} memories", ["stage", "ms", "own ms", "share"], rows, note)
