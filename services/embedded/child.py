"""One operating-system process: its own session, its own log file, and it dies with us."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from services.embedded.failures import StartFailed
from services.embedded.parts import Process

_PR_SET_PDEATHSIG = 1
# Looked up before any fork: the child may only call what is loaded already.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Child:
    """A running process. Made by `spawn`, from the thread of the event loop.

    The kernel ties the child to the thread that forked it, so a loop in a thread that ends takes
    its children along.
    """

    def __init__(self, spec: Process, process: asyncio.subprocess.Process) -> None:
        self._spec = spec
        self._process = process

    @classmethod
    async def spawn(cls, spec: Process, log: Path) -> "Child":
        """Starts the process; StartFailed when the program cannot be run."""
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *spec.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                env=None if spec.env is None else dict(spec.env),
                cwd=spec.cwd,
                start_new_session=True,
                preexec_fn=_becoming(spec, os.getpid()),
            )
        except OSError as error:
            raise StartFailed(spec.name, f"cannot run {spec.argv[0]}: {error.strerror}") from error
        finally:
            os.close(descriptor)
        return cls(spec, process)

    @property
    def pid(self) -> int:
        """Process id; also the id of its session and process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for a signal."""
        return self._process.returncode

    async def wait(self) -> int:
        """Waits for its end; answers the exit code."""
        return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process itself; nothing happens when it has ended."""
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def stop(self) -> bool:
        """Ends it by the stages of its spec; True when only SIGKILL helped."""
        for stage in self._spec.stop:
            self.send(stage.signal)
            try:
                await asyncio.wait_for(self._process.wait(), stage.grace)
            except TimeoutError:
                continue
            self._end_group()
            return False
        self._end_group()
        await self._process.wait()
        return True

    def _end_group(self) -> None:
        """What the process started goes with it."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def _becoming(spec: Process, parent: int) -> Callable[[], None]:
    """What the child does between fork and exec."""
    account = spec.account
    number = int(spec.orphan_signal)

    def become() -> None:
        if account is not None:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
        # After the change of account, which clears the request.
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return become
