"""Letting others go first."""

import os
import subprocess
import sys
import threading

import pytest

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
        timeout=30,
    )
    niceness, _, group = done.stdout.strip().partition(" ")
    assert niceness == str(expected)
    assert group in ("", str(expected))


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
