"""How fast messages are taken in, and what that does to a recall at the same time."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from rich.progress import Progress

from bench import report
from bench.corpus import Corpus
from bench.latency import Questions, point
from bench.loading import Loader, corpus_of
from bench.measuring import Measured, closed_loop
from bench.report import console
from bench.system import INGEST, INGEST_BATCH, INGEST_STREAM, RECALL, System, home_of, running
from mnema.v1 import ingest_service_pb2 as pb

BATCH = 100
SESSION = 20
CLIENTS = (1, 4, 16)
SETTLED_USER = 1_000
"""Memories of the user whose recalls are timed."""
WARM_UP = 20
MOST_RECALLS = 20_000


@dataclass(frozen=True, slots=True)
class Ingest:
    """What to measure: `messages` in batches, `singles` one by one for each number of clients."""

    messages: int = 5_000
    singles: int = 1_000
    quiet_seconds: float = 10.0
    home: Path | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """Messages that went in one way. Seconds from the first call on, to the last of them."""

    way: str
    messages: int
    calls: Measured
    embedded: float
    extracted: float

    def figures(self) -> dict[str, object]:
        """For the JSON file."""
        return {
            "way": self.way,
            "messages": self.messages,
            "acknowledged_per_second": self.messages / self.calls.seconds,
            "embedded_per_second": self.messages / self.embedded,
            "extracted_per_second": self.messages / self.extracted,
            "calls": self.calls.figures(),
        }

    def row(self) -> list[object]:
        """For the table."""
        each = self.calls
        rates = [self.messages / seconds for seconds in (each.seconds, self.embedded)]
        times = [each.percentile(share) for share in (50, 95, 99)]
        return [self.way, self.messages, *rates, self.messages / self.extracted, *times]


COLUMNS = (
    "way",
    "messages",
    "acknowledged/s",
    "embedded/s",
    "extracted/s",
    "call p50 ms",
    "p95 ms",
    "p99 ms",
)


class Messages:
    """Messages in their order, no two alike, as requests."""

    def __init__(self, corpus: Corpus) -> None:
        """Draws from the corpus; `_drawn` counts users of it, so each series is new."""
        self._corpus = corpus
        self._drawn = itertools.count(1_000_000)

    def batches(self, user_id: str, count: int) -> list[bytes]:
        """IngestBatch requests of 100 messages of 20 a session."""
        messages = list(self._messages(count))
        return [
            pb.IngestBatchRequest(
                user_id=user_id, messages=messages[start : start + BATCH]
            ).SerializeToString()
            for start in range(0, count, BATCH)
        ]

    def singles(self, user_id: str, count: int) -> list[bytes]:
        """Ingest requests."""
        return [
            pb.IngestRequest(
                user_id=user_id,
                role=each.role,
                content=each.content,
                said_at=each.said_at,
                session_id=each.session_id,
            ).SerializeToString()
            for each in self._messages(count)
        ]

    def streamed(self, user_id: str, count: int) -> list[bytes]:
        """IngestStream requests, each with a request_id."""
        return [
            pb.IngestStreamRequest(
                user_id=user_id,
                role=each.role,
                content=each.content,
                said_at=each.said_at,
                session_id=each.session_id,
                request_id=str(uuid4()),
            ).SerializeToString()
            for each in self._messages(count)
        ]

    def _messages(self, count: int) -> Iterator[pb.NewMessage]:
        number = 0
        for made in self._corpus.memories(next(self._drawn), count):
            for text, moment in zip(made.texts, made.moments, strict=True):
                yield _message(text, moment, f"session-{number // SESSION}")
                number += 1


async def run(options: Ingest) -> dict[str, object]:
    """Measures, shows and writes."""
    corpus = await corpus_of()
    messages = Messages(corpus)
    with home_of(options.home) as home, report.progress() as bar:
        async with running(home) as system:
            run_id = f"{time.time_ns():x}"
            taken = [await _in_batches(system, messages, f"batch-{run_id}", options.messages, bar)]
            user_id = f"stream-{run_id}"
            taken.append(await _streamed(system, messages, user_id, options.messages, bar))
            for clients in CLIENTS:
                user_id = f"single-{run_id}-{clients}"
                taken.append(
                    await _one_by_one(system, messages, user_id, options.singles, clients, bar)
                )
            recalls = await _disturbed(system, corpus, messages, run_id, options, bar)
    report.show("Ingest through the gateway", COLUMNS, [each.row() for each in taken])
    _show_recalls(recalls)
    results: dict[str, object] = {
        "ingest": [each.figures() for each in taken],
        "recalls": {name: measured.figures() for name, measured in recalls.items()},
    }
    report.write("ingest", {"messages": options.messages, "singles": options.singles}, results)
    return results


async def _in_batches(
    system: System, messages: Messages, user_id: str, count: int, bar: Progress
) -> Taken:
    requests = messages.batches(user_id, count)
    task = bar.add_task(f"{count:,} messages in batches", total=len(requests))
    calls = await closed_loop(
        system.call(INGEST_BATCH), requests, answered=lambda: bar.advance(task)
    )
    bar.remove_task(task)
    return await _followed(system, user_id, f"batches of {BATCH}", count, calls)


async def _streamed(
    system: System, messages: Messages, user_id: str, count: int, bar: Progress
) -> Taken:
    """One stream, as fast as the server takes it: a call is a message from its sending on."""
    requests = messages.streamed(user_id, count)
    task = bar.add_task(f"{count:,} messages in a stream", total=count)
    sent: list[float] = []

    async def sending() -> AsyncIterator[bytes]:
        for request in requests:
            sent.append(time.perf_counter())
            yield request

    milliseconds: list[float] = []
    began = time.perf_counter()
    async for _ in system.stream(INGEST_STREAM, sending()):
        milliseconds.append((time.perf_counter() - sent[len(milliseconds)]) * 1000)
        bar.advance(task)
    calls = Measured(tuple(milliseconds), time.perf_counter() - began)
    bar.remove_task(task)
    return await _followed(system, user_id, "a stream", count, calls)


async def _one_by_one(
    system: System, messages: Messages, user_id: str, count: int, clients: int, bar: Progress
) -> Taken:
    requests = messages.singles(user_id, count)
    task = bar.add_task(f"{count:,} messages one by one, {clients} clients", total=count)
    calls = await closed_loop(
        system.call(INGEST), requests, clients=clients, answered=lambda: bar.advance(task)
    )
    bar.remove_task(task)
    return await _followed(system, user_id, f"one by one, {clients} clients", count, calls)


async def _followed(system: System, user_id: str, way: str, count: int, calls: Measured) -> Taken:
    """Waits until all that was acknowledged is embedded, and until it is extracted."""
    if calls.failures:
        raise RuntimeError(f"{way}: calls failed: {calls.failures}")
    embedded = calls.seconds + await system.embedded(user_id)
    extracted = embedded + await system.extracted(user_id)
    return Taken(way, count, calls, embedded, extracted)


async def _disturbed(
    system: System,
    corpus: Corpus,
    messages: Messages,
    run_id: str,
    options: Ingest,
    bar: Progress,
) -> dict[str, Measured]:
    """Recalls of one user by one client: while nothing else happens, and while another ingests."""
    async with Loader.open(system, corpus) as loader:
        user_id = await loader.load(SETTLED_USER, SETTLED_USER, bar)
        await loader.settle()
    recall = system.call(RECALL)
    questions = Questions(corpus, seed=20_000)
    await closed_loop(recall, questions.recalls(user_id, WARM_UP))
    quiet = await closed_loop(
        recall, questions.recalls(user_id, MOST_RECALLS), most_seconds=options.quiet_seconds
    )
    done = asyncio.Event()

    async def ingest() -> Taken:
        try:
            return await _in_batches(system, messages, f"beside-{run_id}", options.messages, bar)
        finally:
            done.set()

    taken, during = await asyncio.gather(
        ingest(), closed_loop(recall, questions.recalls(user_id, MOST_RECALLS), stop=done)
    )
    for measured in (quiet, during):
        judged = point(SETTLED_USER, "gateway", 1, measured)
        if judged.lacking or judged.empty or measured.failures:
            console.print(f"[yellow]incomplete recalls:[/] {judged.figures()}")
    return {
        "quiet": quiet,
        f"during ingest ({taken.messages / taken.calls.seconds:,.0f} messages/s)": during,
    }


def _show_recalls(recalls: dict[str, Measured]) -> None:
    rows = [
        [name, len(each.milliseconds), *(each.percentile(share) for share in (50, 95, 99))]
        for name, each in recalls.items()
    ]
    title = f"Recall of a user of {SETTLED_USER:,}, one client"
    report.show(title, ("when", "recalls", "p50 ms", "p95 ms", "p99 ms"), rows)


def _message(text: str, moment: datetime, session_id: str) -> pb.NewMessage:
    message = pb.NewMessage(role="user", content=text, session_id=session_id)
    message.said_at.FromDatetime(moment)
    return message
