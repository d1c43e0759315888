"""Letting others go first: the kernel's niceness of this process, or of one of its threads."""

import errno
import os
import sys
import threading
import time
from pathlib import Path

# Where Linux groups processes by session, niceness counts within the group alone, and the
# group has one of its own.
_GROUP = Path("/proc/self/autogroup")
# The kernel takes a change of any group ten times a second and refuses what comes between.
_BUSY_SECONDS = 0.15
_TRIES = 10


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
        _lower_group(niceness)


def _lower_group(niceness: int) -> None:
    for attempt in range(1, _TRIES + 1):
        try:
            _GROUP.write_text(f"{niceness}\n")
        except OSError as error:
            if error.errno == errno.EINVAL:
                return  # in the root group, which has no niceness: the process's own counts
            if error.errno != errno.EAGAIN or attempt == _TRIES:
                raise
            time.sleep(_BUSY_SECONDS)
        else:
            return


def lower_thread(niceness: int) -> None:
    """Has the calling thread yield to this process's others. Linux only; elsewhere nothing."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        if niceness > os.getpriority(os.PRIO_PROCESS, thread):
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
