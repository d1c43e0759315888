"""Letting others go first: the kernel's niceness of this process, or of one of its threads."""

import os
import sys
import threading
from pathlib import Path

# Where Linux groups processes by session, niceness counts within the group alone, and the
# group has one of its own.
_GROUP = Path("/proc/self/autogroup")


def lower_process(niceness: int) -> None:
    """Has this process and the threads it starts from now on yield to others.

    `niceness` is 0 (changes nothing) to 19 (gets what nobody else wants). Never raises the
    priority: a process that was started with a higher niceness keeps it.
    """
    current = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness <= current:
        return
    os.setpriority(os.PRIO_PROCESS, 0, niceness)
    if _GROUP.is_file():
        _GROUP.write_text(f"{niceness}\n")


def lower_thread(niceness: int) -> None:
    """Has the calling thread yield to this process's others. Linux only; elsewhere nothing."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        if niceness > os.getpriority(os.PRIO_PROCESS, thread):
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
