"""Long work in turns: nobody waits for the whole of another's, and what nobody waits for ends."""

import asyncio
import threading
from collections import Counter
from typing import Any

import pytest

from services.runtime import turns
from services.runtime.turns import Steps, at_once, in_turns
from services.text import units
from services.text.analysis import analyze_all
from services.text.terms import Terms, analyze
from services.text.units import units_of

LONG = "The dogs ran to the harbour. " * 400


def counted(name: str, steps: int, done: list[str]) -> Steps[str]:
    for _ in range(steps):
        done.append(name)
        yield
    return name


@pytest.fixture
def single_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.0)


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How many passages each thread has analysed."""
    seen: Counter[int] = Counter()

    def noted(text: str) -> Terms:
        seen[threading.get_ident()] += 1
        return analyze(text)

    monkeypatch.setattr(units, "analyze", noted)
    return seen


async def test_work_of_several_goes_on_side_by_side(single_steps: None) -> None:
    done: list[str] = []
    long = asyncio.create_task(in_turns(counted("long", 5_000, done)))
    while not done:  # noqa: ASYNC110 - told by another thread
        await asyncio.sleep(0)
    begun = len(done)
    assert await in_turns(counted("short", 10, done)) == "short"
    # One turn of the other's for each of its own, and what was under way.
    assert done[begun:].count("long") < 50
    assert await long == "long"
    assert Counter(done) == {"long": 5_000, "short": 10}


async def test_what_nobody_waits_for_ends(single_steps: None) -> None:
    done: list[str] = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await in_turns(counted("late", 10**9, done))
    await in_turns(counted("next", 1, done))
    so_far = done.count("late")
    assert await in_turns(counted("last", 100, done)) == "last"
    assert done.count("late") == so_far


async def test_what_goes_wrong_is_told_to_who_asked() -> None:
    def wrong() -> Steps[Any]:
        yield
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        await in_turns(wrong())
    assert await in_turns(counted("x", 0, [])) == "x"
    assert at_once(counted("x", 3, [])) == "x"


async def test_long_texts_leave_the_event_loop_alone(analysed: Counter[int]) -> None:
    here = threading.get_ident()
    assert await analyze_all(["tea", "milk"]) == [units_of("tea"), units_of("milk")]
    assert set(analysed) == {here}
    analysed.clear()
    found = await analyze_all([LONG, "tea"])
    assert here not in analysed
    assert found == [units_of(LONG), units_of("tea")]


async def test_a_call_that_has_ended_analyses_no_further_passage(
    analysed: Counter[int], single_steps: None
) -> None:
    call = asyncio.create_task(analyze_all([LONG] * 1_000))
    while analysed.total() < 20:  # noqa: ASYNC110 - told by another thread
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await in_turns(counted("next", 1, []))  # what was under way has ended
    so_far = analysed.total()
    await in_turns(counted("last", 100, []))
    assert analysed.total() == so_far < len(units_of(LONG)) * 1_000
