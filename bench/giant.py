"""One user of a million: how long loading takes, a recall, and whether the nearest are found."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr
from rich.progress import Progress

from bench import report
from bench.corpus import Corpus
from bench.latency import COLUMNS, Point, Questions, point
from bench.loading import PORTION, Loader, corpus_of, place_of
from bench.measuring import closed_loop, percentile
from bench.model import model
from bench.scale import show_memory
from bench.system import RECALL, System, home_of, running
from services.providers.embeddings.base import Vectors
from services.runtime.config import DatabaseSettings
from services.runtime.database import Database
from services.runtime.ids import OwnerId
from services.runtime.scope import Scope
from services.storage.codes import SegmentCache, nearest
from services.storage.foundation import EmbeddingSpace, active_space
from services.storage.search import Filter, describe, gather

WARM_UP = 10
TOP = 20


@dataclass(frozen=True, slots=True)
class Giant:
    """What to measure: a user of so many `memories`; `candidates` by code are compared exactly."""

    memories: int = 1_000_000
    calls: int = 200
    queries: int = 100
    candidates: int = 400
    clients: tuple[int, ...] = (1, 4)
    home: Path | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """The vector arm in this process, over all queries: what it found, and its steps' times."""

    recall: float
    milliseconds: dict[str, list[float]]

    def figures(self) -> dict[str, object]:
        """For the JSON file."""
        return {
            f"recall@{TOP}": self.recall,
            **{f"{name}_p50_ms": percentile(each, 50) for name, each in self.milliseconds.items()},
            **{f"{name}_p95_ms": percentile(each, 95) for name, each in self.milliseconds.items()},
        }


async def run(options: Giant) -> dict[str, object]:
    """Loads, measures, compares; shows and writes the figures."""
    corpus = await corpus_of()
    with home_of(options.home) as home, report.progress() as bar:
        async with running(home) as system:
            async with Loader.open(system, corpus) as loader:
                began = time.perf_counter()
                user_id = await loader.load(1, options.memories, bar)
                loaded = time.perf_counter() - began
                await loader.settle()
                disk = await loader.database_bytes()
            points = await _points(system, corpus, user_id, options, bar)
            arm = await _arm(system, corpus, loader.owner_id(user_id), options, bar)
            held = system.memory()
    title = f"Recall of a user of {options.memories:,}, through the gateway"
    rows = [[each.clients, *each.row()[3:]] for each in points]
    note = f"loaded at {options.memories / loaded:,.0f} a second; {disk / 2**20:,.0f} MiB on disk"
    report.show(title, COLUMNS[2:], rows, note)
    _show_arm(arm, options)
    show_memory(held)
    results = {
        "loaded_per_second": options.memories / loaded,
        "database_bytes": disk,
        "recalls": [each.figures() for each in points],
        "vector_arm": arm.figures(),
        "memory_mib": {name: each.resident for name, each in held.items()},
    }
    report.write("giant", {"memories": options.memories, "calls": options.calls}, results)
    return results


async def _points(
    system: System, corpus: Corpus, user_id: str, options: Giant, bar: Progress
) -> list[Point]:
    questions = Questions(corpus, seed=40_000)
    call = system.call(RECALL)
    await closed_loop(call, questions.recalls(user_id, WARM_UP))
    points = []
    for clients in options.clients:
        requests = questions.recalls(user_id, options.calls)
        task = bar.add_task(f"recall, {clients} clients", total=len(requests))
        measured = await closed_loop(
            call,
            requests,
            clients=clients,
            answered=lambda task=task: bar.advance(task),  # type: ignore[misc]
        )
        bar.remove_task(task)
        points.append(point(options.memories, "gateway", clients, measured))
    return points


async def _arm(
    system: System, corpus: Corpus, owner_id: OwnerId, options: Giant, bar: Progress
) -> Arm:
    """The vector arm as the search has it, against every vector there is."""
    texts = corpus.questions(options.queries, seed=50_000)
    async with model() as provider:
        queries = await provider.embed_batch(texts)
    exact = await asyncio.to_thread(_exact, corpus, queries, options, bar)
    settings = DatabaseSettings(dsn=SecretStr(system.stack.service_dsn))
    times: dict[str, list[float]] = {"gather": [], "nearest": [], "describe": []}
    cache = SegmentCache()
    found = 0
    async with Database.open(settings) as database:
        async with database.transaction(Scope(), readonly=True) as connection:
            space = await active_space(connection)
        await _nearest(database, owner_id, space, queries[0], options.candidates, cache, {})
        for query, wanted in zip(queries, exact, strict=True):
            places = await _nearest(
                database, owner_id, space, query, options.candidates, cache, times
            )
            found += len(set(places).intersection(wanted))
    return Arm(found / sum(map(len, exact)), times)


async def _nearest(
    database: Database,
    owner_id: OwnerId,
    space: EmbeddingSpace,
    query: NDArray[np.float32],
    candidates: int,
    cache: SegmentCache,
    times: dict[str, list[float]],
) -> list[int]:
    """The places of the twenty nearest by the codes' candidates; adds each step's time."""
    scope = Scope(owner_id=owner_id)
    async with database.transaction(
        scope, readonly=True, isolation="repeatable_read"
    ) as connection:
        marks = [time.perf_counter()]
        gathered = await gather(connection, owner_id, space, (), Filter(), cache)
        marks.append(time.perf_counter())
        near = nearest(
            gathered.codes,
            query,
            candidates,
            spans=gathered.spans,
            allowed=gathered.allowed,
            excluded=gathered.excluded,
        )
        marks.append(time.perf_counter())
        described = await describe(connection, owner_id, space, near.places.tolist(), query)
        marks.append(time.perf_counter())
    for name, began, ended in zip(times, marks, marks[1:], strict=False):
        times[name].append((ended - began) * 1000)
    units = sorted(described.units, key=lambda unit: -(unit.similarity or -1.0))
    return [unit.place for unit in units[:TOP]]


def _exact(corpus: Corpus, queries: Vectors, options: Giant, bar: Progress) -> list[set[int]]:
    """The places of each query's true nearest, by comparing all vectors as they are stored."""
    task = bar.add_task("the exact nearest", total=options.memories)
    best = np.full((len(queries), TOP), -2.0, np.float32)
    places = np.zeros((len(queries), TOP), np.int64)
    start = 0
    for made in corpus.memories(1, options.memories, PORTION):
        stored = made.vectors.astype(np.float16).astype(np.float32)
        here = np.array([place_of(start + at) for at in range(len(stored))], np.int64)
        scores = np.concatenate([best, queries @ stored.T], axis=1)
        known = np.concatenate([places, np.broadcast_to(here, (len(queries), len(here)))], axis=1)
        order = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
        best = np.take_along_axis(scores, order, axis=1)
        places = np.take_along_axis(known, order, axis=1)
        start += len(stored)
        bar.update(task, completed=start)
    bar.remove_task(task)
    return [set(row) for row in places.tolist()]


def _show_arm(arm: Arm, options: Giant) -> None:
    rows: list[Sequence[object]] = [
        [name, percentile(each, 50), percentile(each, 95)]
        for name, each in arm.milliseconds.items()
    ]
    note = f"recall@{TOP} of {options.queries} queries against all vectors: {arm.recall:.4f}"
    report.show("The vector arm, in process", ("step", "p50 ms", "p95 ms"), rows, note)
