"""What happens to the parts, for a terminal or a log to show. The supervisor itself is silent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Started:
    """A process runs; it does not serve yet."""

    part: str
    pid: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A process serves, or a step is done. `seconds` is how long that took."""

    part: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Crashed:
    """A process ended by itself. It is started again in `restart_in` seconds.

    `exit_code` is negative for a signal (-9 is SIGKILL), as in subprocess.
    """

    part: str
    exit_code: int
    restart_in: float
    log_tail: str


@dataclass(frozen=True, slots=True)
class RestartFailed:
    """A restart did not bring the process back; the next try comes in `restart_in` seconds."""

    part: str
    reason: str
    restart_in: float
    log_tail: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A process was ended on request. `forced` says that it took SIGKILL."""

    part: str
    seconds: float
    forced: bool


@dataclass(frozen=True, slots=True)
class LeftoverEnded:
    """A process of an earlier run, whose supervisor was killed, was still alive and was ended."""

    part: str
    pid: int


Event: TypeAlias = Started | Ready | Crashed | RestartFailed | Stopped | LeftoverEnded
Listener: TypeAlias = Callable[[Event], None]


def unheard(_: Event) -> None:
    """The listener of those who do not listen."""
