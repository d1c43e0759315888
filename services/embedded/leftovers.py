"""Processes of an earlier run whose supervisor was killed.

The kernel has asked them to end already (see child.py); this waits for the slow ones, so that
their ports and files are free before a new run starts.
"""

import os
import signal
from pathlib import Path

import psutil

from services.embedded.events import LeftoverEnded, Listener
from services.embedded.parts import Process, StopStage

_DEFAULT_STOP = (StopStage(signal.SIGTERM, 10.0),)
_CLOCK_SLACK = 2.0  # seconds between a start and the pid file that records it


def end_leftovers(folder: Path, specs: dict[str, Process], emit: Listener) -> None:
    """Ends every living process recorded in `folder` (`<part>.pid`) and forgets the records."""
    for record in sorted(folder.glob("*.pid")):
        process = _recorded(record)
        if process is not None:
            spec = specs.get(record.stem)
            _end(process, spec.stop if spec else _DEFAULT_STOP)
            emit(LeftoverEnded(record.stem, process.pid))
        record.unlink()


def _recorded(record: Path) -> psutil.Process | None:
    """The process the record means; None when it is gone or its number went to a stranger."""
    try:
        process = psutil.Process(int(record.read_text()))
        # Started by us means: before the record was written, and as the leader of a session.
        started = process.create_time() - _CLOCK_SLACK < record.stat().st_mtime
        leads = os.getpgid(process.pid) == process.pid
    except (psutil.NoSuchProcess, ProcessLookupError, ValueError):
        return None
    return process if started and leads and process.status() != psutil.STATUS_ZOMBIE else None


def _end(process: psutil.Process, stages: tuple[StopStage, ...]) -> None:
    for stage in stages:
        try:
            process.send_signal(stage.signal)
            process.wait(stage.grace)
        except psutil.TimeoutExpired:
            continue
        except psutil.NoSuchProcess:
            return
        return
    process.kill()
    process.wait(5)
