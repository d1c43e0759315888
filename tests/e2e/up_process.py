"""`mnema up` as a person runs it: a process, its output, the processes that it started."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from services.embedded.ports import free_ports
from tests.e2e.environment import ENVIRONMENT
from tests.e2e.waiting import until

PROGRAM = Path(sys.executable).with_name("mnema")
START_SECONDS = 240.0
STOP_SECONDS = 120.0
_UP = "Ctrl-C stops everything."


@dataclass
class UpProcess:
    """A running `mnema up`. `output` is what it has printed by now."""

    process: "subprocess.Popen[bytes]"
    log: Path
    port: int

    @property
    def output(self) -> str:
        return self.log.read_text()

    def wait_until_up(self) -> None:
        """Returns when it says that it serves."""
        self.wait_for(_UP)

    def wait_for(self, words: str) -> None:
        """Returns when it has printed this; AssertionError if it ends before."""
        until(
            lambda: (words in self.output, self.process.poll(), self.output),
            lambda seen: seen[0] or seen[1] is not None,
            seconds=START_SECONDS,
        )
        assert words in self.output, self.output

    def printed(self, label: str) -> str:
        """What stands behind a label ("API key")."""
        found = re.search(rf"^{re.escape(label)}\s+(\S+)", self.output, re.MULTILINE)
        assert found, self.output
        return found[1]

    def call(self, title: str) -> str:
        """The text of one of the calls to paste, as it stands there."""
        found = re.search(
            rf"^# {title}\n(.*?)\n\n(?:# |{_UP})", self.output, re.MULTILINE | re.DOTALL
        )
        assert found, self.output
        return found[1]

    def descendants(self) -> list[psutil.Process]:
        """Everything it has started, and what that has started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals) -> int:
        """Sends a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def up(home: Path, log: Path) -> Iterator[UpProcess]:
    """`mnema up` on a home; killed at the end of the block, if it still runs."""
    port = free_ports(1)[0]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PROGRAM, "up", "--home", str(home), "--port", str(port)],
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield UpProcess(process, log, port)
    finally:
        process.kill()
        process.wait()


def refused(home: Path, port: int) -> tuple[int, str]:
    """`mnema up` that is expected to end by itself: its exit code, its output."""
    done = subprocess.run(
        [PROGRAM, "up", "--home", str(home), "--port", str(port)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def environment() -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT, "COLUMNS": "80"}


def left_of(home: Path) -> list[str]:
    """The processes that still have to do with a home, whoever started them."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.environ().get("MNEMA_HOME", "")]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid() and any(str(home) in word for word in words):
            found.append(f"{process.pid}: {' '.join(words)}")
    return found
