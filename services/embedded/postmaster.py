"""Servers found on a PostgreSQL data folder: living ones, and what dead ones left."""

import contextlib
import signal
from pathlib import Path

import psutil

_FAST, _IMMEDIATE, _KILLED = 15.0, 5.0, 5.0  # seconds given to each way of stopping


def is_ready(data_dir: Path, pid: int | None = None) -> bool:
    """Whether the server of this folder (with this process id) accepts connections."""
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    # Line 1 is the process id, line 8 the state.
    state = lines[7].strip() if len(lines) > 7 else ""
    return state == "ready" and (pid is None or lines[0].strip() == str(pid))


def clear_leftovers(data_dir: Path) -> list[int]:
    """Stops a server that an earlier, killed owner left on the folder; removes a stale lock file.

    Answers the process ids it ended. The caller must hold the folder's lock: it cannot tell an
    orphan from the server of a living owner.
    """
    lock_file = data_dir / "postmaster.pid"
    found = _processes(data_dir)
    if found:
        _stop(found, _postmaster_pid(lock_file))
    # The number in it may belong to a stranger by now, which PostgreSQL would take for a server.
    lock_file.unlink(missing_ok=True)
    return [process.pid for process in found]


def _postmaster_pid(lock_file: Path) -> int | None:
    try:
        return int(lock_file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _processes(data_dir: Path) -> list[psutil.Process]:
    """Every PostgreSQL process working in the folder: its server and the server's children."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] != "postgres":
            continue
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()) == data_dir:
                found.append(process)
    return found


def _stop(found: list[psutil.Process], postmaster: int | None) -> None:
    server = [process for process in found if process.pid == postmaster]
    if server:
        for number, grace in ((signal.SIGINT, _FAST), (signal.SIGQUIT, _IMMEDIATE)):
            _signal(server, number)
            _, alive = psutil.wait_procs(found, timeout=grace)
            if not alive:
                return
    else:
        # Children without a server notice its death and end by themselves.
        _, alive = psutil.wait_procs(found, timeout=_IMMEDIATE)
    _signal(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=_KILLED)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
