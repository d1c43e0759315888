"""How tests bear a machine that is slow, or stands still for seconds: time proves nothing here.

What must come is waited for as long as PATIENCE; what costs too much is counted, not timed. How
fast things are is the benchmarks' to say.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from pydantic import SecretStr

from services.runtime.config import DatabaseSettings

PATIENCE = 60.0
"""Seconds that nothing takes unless it hangs."""


def database_settings(dsn: str, **values: Any) -> DatabaseSettings:
    """A service's settings of its database, whose limits only what hangs runs into."""
    patient = {
        "acquire_timeout_seconds": PATIENCE,
        "connect_timeout_seconds": PATIENCE,
        "command_timeout_seconds": 5 * PATIENCE,
    }
    return DatabaseSettings(dsn=SecretStr(dsn), **(patient | values))


def function_calls(work: Callable[[], object]) -> int:
    """How many functions `work` calls, whether of Python or built in, itself included."""
    called = 0

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal called
        called += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return called - 1  # the last one is that which ends the counting
