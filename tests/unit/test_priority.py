"""Letting others go first."""

import errno
import os
import subprocess
import sys
import threading

import pytest

from services.runtime import priority
from services.runtime.priority import lower_thread

LOWERING = """
import os, pathlib
from services.runtime.priority import lower_process
lower_process({first})
lower_process({then})
group = pathlib.Path("/proc/self/autogroup")
print(os.getpriority(os.PRIO_PROCESS, 0), group.read_text().split()[-1] if group.is_file() else "")
"""


@pytest.mark.parametrize(("first", "then", "expected"), [(15, 0, 15), (15, 7, 15), (11, 15, 15)])
def test_a_process_yields_and_never_takes_it_back(first: int, then: int, expected: int) -> None:
    program = LOWERING.format(first=first, then=then)
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=120,
    )
    niceness, _, group = done.stdout.strip().partition(" ")
    assert niceness == str(expected)
    assert group in ("", str(expected))


IN_THE_ROOT_GROUP = """
import os, pathlib
from services.runtime import priority
# As the file of a process that no session groups, it answers every number with EINVAL.
priority._GROUP = pathlib.Path("/proc/self/setgroups")
priority.lower_process(15)
print(os.getpriority(os.PRIO_PROCESS, 0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="sessions are groups on Linux only")
def test_a_process_outside_any_session_yields_by_its_own_niceness() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_THE_ROOT_GROUP],
        check=True,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=120,
    )
    assert done.stdout.strip() == "15"


class BusyGroup:
    """The file of a group while others change theirs: EAGAIN a few times, then as always."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.written: list[str] = []

    def write_text(self, text: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self.written.append(text)


def test_a_group_is_asked_again_while_the_kernel_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    group = BusyGroup(refusals=2)
    monkeypatch.setattr(priority, "_GROUP", group)
    monkeypatch.setattr(priority, "_BUSY_SECONDS", 0.0)
    priority._lower_group(12)
    assert group.written == ["12\n"]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness on Linux only")
def test_a_thread_yields_alone() -> None:
    found: list[int] = []

    def work() -> None:
        lower_thread(16)
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, 0)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [16]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
