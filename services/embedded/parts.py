"""What the supervisor runs, as data: processes that stay and steps that are done once."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from services.embedded.account import Account

Probe: TypeAlias = Callable[[], Awaitable[bool]]
"""Asks once whether a part serves. Answers within about a second; never raises for "not yet"."""


@dataclass(frozen=True, slots=True)
class StopStage:
    """One step of ending a process: the signal to send and how many seconds to wait after it."""

    signal: signal.Signals
    grace: float


@dataclass(frozen=True, slots=True)
class Process:
    """A program to keep alive.

    name           unique within the stack; also the name of its log file.
    argv           program and arguments.
    env            its whole environment; None hands on the supervisor's.
    account        system account to run under (root only); None is the supervisor's.
    depends_on     names of the parts that must be ready before it starts.
    ready          None: ready as soon as it runs.
    ready_timeout  seconds until a start counts as failed.
    stop           how it is ended; SIGKILL to its process group follows the last stage.
    orphan_signal  what the kernel sends it when the supervisor dies without ending it (Linux).
    prepare        done before every start, restarts included.
    release        done after it was stopped for good.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    account: Account | None = None
    depends_on: tuple[str, ...] = ()
    ready: Probe | None = None
    ready_timeout: float = 30.0
    stop: tuple[StopStage, ...] = (StopStage(signal.SIGTERM, 10.0),)
    orphan_signal: signal.Signals = signal.SIGTERM
    prepare: Callable[[], Awaitable[None]] | None = None
    release: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Work done once at every start, between the parts it depends on and those that need it.

    A migration is one. `timeout` is in seconds.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    depends_on: tuple[str, ...] = ()
    timeout: float = 300.0


Part: TypeAlias = Process | Step


def ordered(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts, each after everything it depends on.

    ValueError on a name used twice, a dependency nobody has, or a circle.
    """
    by_name = {part.name: part for part in parts}
    if len(by_name) != len(parts):
        raise ValueError("two parts have the same name")
    done: dict[str, Part] = {}
    waiting = dict(by_name)
    while waiting:
        free = [part for part in waiting.values() if all(n in done for n in part.depends_on)]
        if not free:
            raise ValueError(f"parts wait for each other or for nobody: {sorted(waiting)}")
        for part in free:
            done[part.name] = waiting.pop(part.name)
    return tuple(done.values())
