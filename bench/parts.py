"""What a recall is made of, each part alone: how fast this machine is today.

A shared machine is twice as fast in one hour as in the next; beside these figures those of
another day or another machine can be read.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import numpy as np

from bench import report
from bench.corpus import Corpus
from bench.measuring import Measured, closed_loop
from bench.model import model
from bench.system import RANKING_PROFILE, System
from mnema.v1.vector_service_pb2 import GetRankingProfileRequest

CALLS = 300
WARM_UP = 30
# About as long as a recall works at other things between two embeddings.
_BETWEEN_SECONDS = 0.01
_COLUMNS = ("part", "p50 ms", "p95 ms")
_NOTE = "one call at a time; what each costs alone says how fast the machine is at the moment"


@dataclass(frozen=True, slots=True)
class Part:
    """One part and how long it takes."""

    name: str
    measured: Measured

    def figures(self) -> dict[str, object]:
        """For the JSON file."""
        return {"part": self.name, **self.measured.figures()}

    def row(self) -> list[object]:
        """For the table."""
        return [self.name, self.measured.percentile(50), self.measured.percentile(95)]


async def measure(system: System, corpus: Corpus) -> list[Part]:
    """The parts, on a system at rest."""
    return [*await _calls(system), await _statement(system), *await _embeddings(corpus)]


def show(parts: list[Part]) -> None:
    """Prints them."""
    report.show("Parts of a recall, each alone", _COLUMNS, [part.row() for part in parts], _NOTE)


async def _calls(system: System) -> list[Part]:
    """A call that reads nothing, with authentication, straight and through the gateway."""
    request = GetRankingProfileRequest(name="default").SerializeToString()
    async with system.direct("vector") as vector:
        ways = {
            "a gRPC call that reads nothing, direct": system.call(RANKING_PROFILE, vector),
            "the same through the gateway": system.call(RANKING_PROFILE),
        }
        parts = []
        for name, call in ways.items():
            await closed_loop(call, [request] * WARM_UP)
            measured = await closed_loop(call, [request] * CALLS)
            if measured.failures:
                raise RuntimeError(f"{name} failed: {measured.failures}")
            parts.append(Part(name, measured))
    return parts


async def _statement(system: System) -> Part:
    connection = await asyncpg.connect(system.stack.postgres.access().service_dsn)
    try:
        measured = await _timed(lambda: connection.fetchval("SELECT 1"))
    finally:
        await connection.close()
    return Part("an empty statement of SQL", measured)


async def _embeddings(corpus: Corpus) -> list[Part]:
    questions = iter(corpus.questions(2 * (WARM_UP + CALLS), seed=20_000))
    async with model() as provider:

        async def embed() -> None:
            await provider.embed(next(questions))

        at_once = await _timed(embed)
        apart = await _timed(embed, between=_busy)
    return [
        Part("the embedding of a question, one after the other", at_once),
        Part(f"the same, {_BETWEEN_SECONDS * 1000:g} ms of other work between", apart),
    ]


def _busy() -> None:
    """Reads through 16 MiB, over and over: what the processor's caches held has to go."""
    filler = np.ones(2 * 2**20)
    until = time.perf_counter() + _BETWEEN_SECONDS
    while time.perf_counter() < until:
        filler.sum()


async def _timed(
    work: Callable[[], Awaitable[object]], between: Callable[[], None] = lambda: None
) -> Measured:
    milliseconds = []
    for turn in range(-WARM_UP, CALLS):
        between()
        began = time.perf_counter()
        await work()
        if turn >= 0:
            milliseconds.append((time.perf_counter() - began) * 1000)
    return Measured(tuple(milliseconds), sum(milliseconds) / 1000)
