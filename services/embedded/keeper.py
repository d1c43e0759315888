"""Keeps one process alive: starts it, waits until it serves, starts it again when it crashes."""

import asyncio
import contextlib
import signal
import time
from pathlib import Path

from services.embedded import log_file
from services.embedded.child import Child
from services.embedded.events import Crashed, Listener, Ready, RestartFailed, Started, Stopped
from services.embedded.failures import EmbeddedError, StartFailed
from services.embedded.parts import Process

_POLL_FIRST, _POLL_MOST = 0.02, 0.25  # seconds between two questions to a starting process
_BACKOFF_FIRST, _BACKOFF_MOST = 0.2, 15.0  # seconds before a restart, doubling
_SETTLED = 60.0  # a process that served this long starts again with the first backoff


class Keeper:
    """One process of a stack. `ready` is set while it serves; `restarts` counts crashes mended."""

    def __init__(self, spec: Process, log: Path, pid_file: Path, emit: Listener) -> None:
        self.spec = spec
        self.ready = asyncio.Event()
        self.restarts = 0
        self._log = log
        self._log_start = 0
        self._pid_file = pid_file
        self._emit = emit
        self._child: Child | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """None while it is not running."""
        alive = self._child is not None and self._child.exit_code is None
        return self._child.pid if alive and self._child is not None else None

    async def start(self) -> None:
        """Returns once the process serves. StartFailed when it ends or takes too long before."""
        if self._watch is not None:
            return
        try:
            await self._launch()
        except BaseException:
            await self._end()
            raise
        self._watch = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def stop(self) -> None:
        """Ends the process and stays with that; harmless when it is not running."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        await self._end()

    def kill(self, number: signal.Signals) -> None:
        """Sends the process a signal, as a stranger would."""
        if self._child is not None:
            self._child.send(number)

    async def _end(self) -> None:
        self.ready.clear()
        child, self._child = self._child, None
        if child is not None:
            begin, was_running = time.monotonic(), child.exit_code is None
            forced = await child.stop()
            if was_running:
                self._emit(Stopped(self.spec.name, time.monotonic() - begin, forced))
        self._pid_file.unlink(missing_ok=True)
        if self.spec.release is not None:
            self.spec.release()

    async def _launch(self) -> None:
        begin = time.monotonic()
        if self.spec.prepare is not None:
            await self.spec.prepare()
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        self._child = await Child.spawn(self.spec, self._log)
        self._pid_file.write_text(f"{self._child.pid}\n")
        self._emit(Started(self.spec.name, self._child.pid))
        await self._until_ready(self._child)
        self.ready.set()
        self._emit(Ready(self.spec.name, time.monotonic() - begin))

    async def _until_ready(self, child: Child) -> None:
        pause = _POLL_FIRST
        deadline = time.monotonic() + self.spec.ready_timeout
        while self.spec.ready is not None and not await self.spec.ready():
            if child.exit_code is not None:
                raise self._failed(f"ended with {exit_words(child.exit_code)} while starting")
            if time.monotonic() > deadline:
                raise self._failed(f"not ready after {self.spec.ready_timeout:.0f} s")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _POLL_MOST)
        if child.exit_code is not None:
            raise self._failed(f"ended with {exit_words(child.exit_code)} while starting")

    def _failed(self, reason: str) -> StartFailed:
        return StartFailed(self.spec.name, reason, self._tail())

    def _tail(self) -> str:
        return log_file.tail(self._log, self._log_start)

    async def _keep(self) -> None:
        backoff = _BACKOFF_FIRST
        while self._child is not None:
            served_from = time.monotonic()
            exit_code = await self._child.wait()
            self.ready.clear()
            if time.monotonic() - served_from > _SETTLED:
                backoff = _BACKOFF_FIRST
            self._emit(Crashed(self.spec.name, exit_code, backoff, self._tail()))
            backoff = await self._bring_back(backoff)

    async def _bring_back(self, backoff: float) -> float:
        """Tries until the process serves again; answers the next backoff."""
        while True:
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _BACKOFF_MOST)
            try:
                if self._child is not None:
                    await self._child.stop()
                await self._launch()
            except EmbeddedError as error:
                reason = error.reason if isinstance(error, StartFailed) else str(error)
                self._emit(RestartFailed(self.spec.name, reason, backoff, self._tail()))
                continue
            self.restarts += 1
            return backoff


def exit_words(exit_code: int) -> str:
    """The exit code for people: "code 1", "SIGKILL"."""
    if exit_code >= 0:
        return f"code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
