"""The supervisor of one machine: starts parts in order, keeps them alive, ends them in reverse.

Every process has a session, a log file `<home>/logs/<name>.log` and a record
`<home>/run/<name>.pid`. `<home>/run/stack.lock` keeps a second stack away from the same home.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from services.embedded import log_file
from services.embedded.events import Listener, Ready, unheard
from services.embedded.failures import StartFailed
from services.embedded.folder_lock import FolderLock
from services.embedded.keeper import Keeper
from services.embedded.leftovers import end_leftovers
from services.embedded.parts import Part, Process, Step, ordered


class Stack:
    """The parts of one home folder. Use as `async with Stack(home, parts) as running:`.

    Bound to the event loop and the thread it is started in. Silent: what happens is told to
    `on_event`, which must return quickly and not raise.
    """

    def __init__(
        self,
        home: Path,
        parts: Sequence[Part],
        *,
        on_event: Listener = unheard,
        log_bytes: int = 10 * 1024 * 1024,
        log_check: float = 5.0,
    ) -> None:
        """A log above `log_bytes` moves to `.1`; its size is looked at every `log_check` seconds.

        ValueError on an order of parts that cannot be.
        """
        self.home = home.expanduser().absolute()
        self._parts = ordered(tuple(parts))
        self._emit = on_event
        self._log_bytes, self._log_check = log_bytes, log_check
        self._lock = FolderLock(self.home / "run" / "stack.lock", f"the home folder {self.home}")
        self._log_watch: asyncio.Task[None] | None = None
        self._keepers = {
            part.name: Keeper(part, self.log_path(part.name), self._record(part.name), on_event)
            for part in self._parts
            if isinstance(part, Process)
        }

    def log_path(self, name: str) -> Path:
        """Where a part writes."""
        return self.home / "logs" / f"{name}.log"

    def _record(self, name: str) -> Path:
        return self.home / "run" / f"{name}.pid"

    async def start(self) -> None:
        """Starts every part as soon as what it depends on is ready; returns when all are.

        AlreadyRunning when the home is in use; StartFailed with the last log lines when a part
        does not come up. What had started is then stopped again.
        """
        for folder in (self.home / "logs", self.home / "run"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            specs = {name: keeper.spec for name, keeper in self._keepers.items()}
            await asyncio.to_thread(end_leftovers, self.home / "run", specs, self._emit)
            self._log_watch = asyncio.create_task(self._watch_logs(), name="log sizes")
            await self._start_all()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops every part after those that depend on it. Also after a start that failed."""
        try:
            await self._stop_all()
        finally:
            if self._log_watch is not None:
                self._log_watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._log_watch
                self._log_watch = None
            self._lock.release()

    async def run(
        self, *, signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)
    ) -> None:
        """Starts, stays until one of the signals comes (while starting, too), stops."""
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        for number in signals:
            loop.add_signal_handler(number, asked.set)
        starting = asyncio.create_task(self.start(), name="start")
        waiting = asyncio.create_task(asked.wait(), name="wait for a signal")
        try:
            await asyncio.wait((starting, waiting), return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await starting
                return
            starting.result()
            await waiting
            await self.stop()
        finally:
            waiting.cancel()
            for number in signals:
                loop.remove_signal_handler(number)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def pid(self, name: str) -> int | None:
        """The process id of a part; None while it is not running."""
        return self._keepers[name].pid

    def is_ready(self, name: str) -> bool:
        """Whether a process serves, as far as its last start and its being alive tell."""
        return self._keepers[name].ready.is_set()

    def restarts(self, name: str) -> int:
        """How often a crash of this part was mended since the stack started."""
        return self._keepers[name].restarts

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Sends a part a signal, as a stranger would: a crash, which is mended."""
        self._keepers[name].kill(number)

    async def wait_ready(self, name: str, timeout: float = 30.0) -> None:
        """Waits until a part serves (again). TimeoutError after `timeout` seconds."""
        await asyncio.wait_for(self._keepers[name].ready.wait(), timeout)

    async def stop_part(self, name: str) -> None:
        """Stops one part and leaves it stopped; what depends on it stays up."""
        await self._keepers[name].stop()

    async def start_part(self, name: str) -> None:
        """Starts one stopped part; returns when it serves."""
        await self._keepers[name].start()

    async def restart(self, name: str) -> None:
        """Stops and starts one part."""
        await self.stop_part(name)
        await self.start_part(name)

    async def _start_all(self) -> None:
        done = {part.name: asyncio.Event() for part in self._parts}
        try:
            async with asyncio.TaskGroup() as group:
                for part in self._parts:
                    group.create_task(self._start_one(part, done), name=f"start {part.name}")
        except BaseExceptionGroup as several:
            # The others only failed because the first one took them along.
            raise several.exceptions[0] from None

    async def _start_one(self, part: Part, done: dict[str, asyncio.Event]) -> None:
        for name in part.depends_on:
            await done[name].wait()
        if isinstance(part, Step):
            await self._do(part)
        else:
            await self._keepers[part.name].start()
        done[part.name].set()

    async def _do(self, step: Step) -> None:
        begin = time.monotonic()
        try:
            await asyncio.wait_for(step.run(), step.timeout)
        except TimeoutError:
            raise StartFailed(step.name, f"not done after {step.timeout:.0f} s") from None
        self._emit(Ready(step.name, time.monotonic() - begin))

    async def _stop_all(self) -> None:
        stopped = {part.name: asyncio.Event() for part in self._parts}
        async with asyncio.TaskGroup() as group:
            for part in self._parts:
                group.create_task(self._stop_one(part, stopped), name=f"stop {part.name}")

    async def _stop_one(self, part: Part, stopped: dict[str, asyncio.Event]) -> None:
        for other in self._parts:
            if part.name in other.depends_on:
                await stopped[other.name].wait()
        if part.name in self._keepers:
            await self._keepers[part.name].stop()
        stopped[part.name].set()

    async def _watch_logs(self) -> None:
        while True:
            await asyncio.sleep(self._log_check)
            for name in self._keepers:
                await asyncio.to_thread(log_file.cap, self.log_path(name), self._log_bytes)
