"""Who goes next, and together with whom."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import pytest_asyncio

from services.providers.embeddings.base import Vectors
from services.providers.embeddings.batching import MicroBatcher
from services.runtime.errors import ResourceExhausted, Unavailable

DEADLINE_SECONDS = 60.0


@dataclass
class GatedModel:
    """Gives (length of the text, 1) as vector, notes its slices, and runs only when let."""

    slices: list[list[str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    broken: bool = False

    def run(self, texts: Sequence[str]) -> Vectors:
        self.slices.append(list(texts))
        self.started.set()
        assert self.gate.wait(DEADLINE_SECONDS)
        if self.broken:
            raise RuntimeError("out of memory")
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)


@pytest.fixture
def model() -> GatedModel:
    return GatedModel()


@pytest_asyncio.fixture
async def batcher(model: GatedModel) -> AsyncIterator[MicroBatcher]:
    """Slices of ten characters; a text costs its length."""
    made = MicroBatcher(model.run, len, dims=2, slice_cost=10, max_waiting=40)
    yield made
    model.gate.set()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await made.close()


async def _busy(batcher: MicroBatcher, model: GatedModel) -> asyncio.Task[Vectors]:
    """Starts a first request and returns when the model works on it."""
    task = asyncio.create_task(batcher.submit(["first"]))
    await asyncio.sleep(0)
    assert await asyncio.to_thread(model.started.wait, DEADLINE_SECONDS)
    return task


async def _submit(batcher: MicroBatcher, texts: Sequence[str]) -> asyncio.Task[Vectors]:
    task = asyncio.create_task(batcher.submit(texts))
    await asyncio.sleep(0)
    return task


async def test_rows_come_in_the_order_of_the_texts(
    batcher: MicroBatcher, model: GatedModel
) -> None:
    model.gate.set()

    rows = await batcher.submit(["ccc", "a", "dddddddddddddd", "bb", ""])

    assert rows[:, 0].tolist() == [3, 1, 14, 2, 0]
    assert (await batcher.submit([])).shape == (0, 2)


async def test_a_query_does_not_wait_for_a_batch(batcher: MicroBatcher, model: GatedModel) -> None:
    batch = await _busy(batcher, model)
    model.started.clear()
    query = asyncio.create_task(batcher.submit_query("query"))

    assert await asyncio.to_thread(model.started.wait, DEADLINE_SECONDS)
    assert model.slices == [["first"], ["query"]]  # both of them run
    model.gate.set()
    assert (await query).tolist() == [5, 1]
    assert (await batch)[0, 0] == 5


async def test_queries_during_a_run_share_the_next(
    batcher: MicroBatcher, model: GatedModel
) -> None:
    first = asyncio.create_task(batcher.submit_query("first"))
    assert await asyncio.to_thread(model.started.wait, DEADLINE_SECONDS)
    others = [asyncio.create_task(batcher.submit_query(text)) for text in ("aaaa", "bbb", "cccc")]
    await asyncio.sleep(0)

    model.gate.set()
    await asyncio.gather(first, *others)

    assert model.slices == [["first"], ["aaaa", "bbb"], ["cccc"]]


async def test_a_batch_runs_in_as_many_threads_as_it_may() -> None:
    together = threading.Barrier(2)

    def run(texts: Sequence[str]) -> Vectors:
        together.wait(DEADLINE_SECONDS)  # breaks unless another slice runs at the same time
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    batcher = MicroBatcher(run, len, dims=2, slice_cost=10, max_waiting=40, batch_threads=2)
    rows = await batcher.submit(["xxxxx"] * 8)
    await batcher.close()

    assert rows[:, 0].tolist() == [5] * 8


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness on Linux only")
async def test_batches_yield_to_queries() -> None:
    found: dict[str, int] = {}

    def run(texts: Sequence[str]) -> Vectors:
        found[texts[0]] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return np.ones((len(texts), 2), dtype=np.float32)

    batcher = MicroBatcher(run, len, dims=2, slice_cost=10, max_waiting=40)
    await batcher.submit(["batch"])
    await batcher.submit_query("query")
    await batcher.close()

    usual = os.getpriority(os.PRIO_PROCESS, 0)
    assert found["query"] == usual
    assert found["batch"] == max(usual, 10)


async def test_requests_during_a_run_share_the_next(
    batcher: MicroBatcher, model: GatedModel
) -> None:
    first = await _busy(batcher, model)
    others = [await _submit(batcher, [text]) for text in ("aaaa", "bbb", "cc", "dddd")]

    model.gate.set()
    await asyncio.gather(first, *others)

    assert model.slices == [["first"], ["aaaa", "bbb", "cc"], ["dddd"]]


async def test_large_batches_take_turns(batcher: MicroBatcher, model: GatedModel) -> None:
    first = await _busy(batcher, model)
    one = await _submit(batcher, ["xxxxx"] * 6)
    two = await _submit(batcher, ["yyyyy"] * 4)

    model.gate.set()
    await asyncio.gather(first, one, two)

    assert ["".join(texts)[0] for texts in model.slices[1:]] == ["x", "y", "x", "y", "x"]


async def test_a_text_beyond_the_slice_runs_alone(batcher: MicroBatcher, model: GatedModel) -> None:
    model.gate.set()

    rows = await batcher.submit(["x" * 25, "y" * 30, "z"])

    assert rows[:, 0].tolist() == [25, 30, 1]
    assert model.slices == [["z"], ["x" * 25], ["y" * 30]]


async def test_the_texts_of_a_cancelled_caller_are_dropped(
    batcher: MicroBatcher, model: GatedModel
) -> None:
    first = await _busy(batcher, model)
    stays = await _submit(batcher, ["stays"])
    left = await _submit(batcher, ["x"] * 40)
    left.cancel()

    model.gate.set()
    await asyncio.gather(first, stays)

    # All 40 places are free again, else this one would be refused.
    await batcher.submit(["y"])
    assert not [texts for texts in model.slices if "x" in texts]


async def test_a_failure_reaches_each_caller_of_the_slice(
    batcher: MicroBatcher, model: GatedModel
) -> None:
    model.broken = True
    model.gate.set()

    outcomes = await asyncio.gather(
        batcher.submit(["a"]), batcher.submit(["b"] * 20), return_exceptions=True
    )
    assert [str(outcome) for outcome in outcomes] == ["out of memory"] * 2

    model.broken = False
    assert (await batcher.submit(["again"]))[0, 0] == 5


async def test_a_full_queue_refuses_and_says_when_to_retry(
    batcher: MicroBatcher, model: GatedModel
) -> None:
    first = await _busy(batcher, model)
    waiting = await _submit(batcher, ["x"] * 40)

    with pytest.raises(ResourceExhausted) as refused:
        await batcher.submit(["one more"])

    assert refused.value.metadata == {"waiting": "40", "limit": "40"}
    assert refused.value.retry_after == 1.0
    model.gate.set()
    await asyncio.gather(first, waiting)


async def test_closing_refuses_what_waits_and_what_comes(model: GatedModel) -> None:
    batcher = MicroBatcher(model.run, len, dims=2, slice_cost=10, max_waiting=40)
    first = await _busy(batcher, model)
    waiting = await _submit(batcher, ["waiting"])
    closing = asyncio.create_task(batcher.close())
    await asyncio.sleep(0)
    model.gate.set()

    await closing
    assert (await first)[0, 0] == 5
    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        await batcher.submit(["late"])
    with pytest.raises(Unavailable):
        await batcher.submit_query("late")


async def test_who_was_answered_may_ask_again_at_once(
    batcher: MicroBatcher, model: GatedModel
) -> None:
    model.gate.set()
    async with asyncio.timeout(DEADLINE_SECONDS):
        for _ in range(20):
            assert (await batcher.submit(["four"])).tolist() == [[4, 1]]
            assert (await batcher.submit_query("seven77")).tolist() == [7, 1]
