"""A system that a test module has to itself: to be killed, frozen, stopped and started again."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import grpc
import psutil

from services.app.local_stack import LEAN, LocalStack
from services.embedded.events import Event
from services.embedded.ports import free_ports
from tests.e2e.environment import ENVIRONMENT
from tests.e2e.gateway import Gateway, Tenant
from tests.e2e.waiting import until

_ENVIRONMENT = {
    **ENVIRONMENT,
    # What is counted, memories and model calls, is what was asked for: no digest by itself.
    "MNEMA_OPTIONS__REFLECTION_INTERVAL": "0",
    # What a killed worker held goes to the next one after this.
    "MNEMA_EXTRACTION__HEARTBEAT_TIMEOUT_SECONDS": "4",
}
# A connection of its own, tried again soon: the gateway itself is killed as well.
_IMPATIENT = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]
START_SECONDS = 240.0
STOP_SECONDS = 120.0
Result = TypeVar("Result")


class OwnStack:
    """PostgreSQL, every service and Envoy in `home`. Made by `own_stack` and `started`.

    Its event loop has a thread of its own, which lives as long as the stack: the kernel ends
    the processes with the thread that started them. Calls may come from any thread.
    """

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.events: list[Event] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stack", daemon=True)
        self._thread.start()
        self.system = LocalStack(
            home,
            port=free_ports(1)[0],
            environment={**_ENVIRONMENT, **environment},
            on_event=self.events.append,
        )

    def start(self) -> None:
        """Returns when everything serves; StartFailed if it does not."""
        self.run(self.system.stack.start(), START_SECONDS)

    def stop(self) -> None:
        """Stops everything, and the thread; also after a start that failed."""
        try:
            self.run(self.system.stack.stop(), STOP_SECONDS)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    def run(self, work: Coroutine[Any, Any, Result], seconds: float) -> Result:
        """Does something on the stack's loop and waits for it."""
        doing: Future[Result] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return doing.result(seconds)

    def gateway(self) -> Gateway:
        """A client of its own; to be closed."""
        gateway = Gateway(self.system.address, self.tenant, self.system.credentials.admin_key)
        gateway.channel.close()
        gateway.channel = grpc.insecure_channel(self.system.address, _IMPATIENT)
        return gateway

    @property
    def tenant(self) -> Tenant:
        """Whose key the start made."""
        return Tenant(self.system.credentials.tenant_id, self.system.api_key)

    def pid(self, part: str) -> int | None:
        """The process id of a part; None while it is not running."""
        return self.system.stack.pid(part)

    def signal(self, part: str, number: signal.Signals) -> None:
        """Sends a part a signal; returns when it is sent, and to stop it when it stands still."""

        async def send() -> None:
            self.system.stack.kill(part, number)

        pid = self.pid(part)
        self.run(send(), STOP_SECONDS)
        if number == signal.SIGSTOP and pid is not None:
            process = psutil.Process(pid)
            until(process.status, lambda status: status == psutil.STATUS_STOPPED)

    def crash(self, part: str) -> None:
        """kill -9; returns when the supervisor has mended it."""
        mended = self.system.stack.restarts(part)
        self.signal(part, signal.SIGKILL)
        until(lambda: self.system.stack.restarts(part), lambda now: now > mended)

    def stop_part(self, part: str) -> None:
        """Stops one part and leaves it stopped."""
        self.run(self.system.stack.stop_part(part), STOP_SECONDS)

    def start_part(self, part: str) -> None:
        """Starts a stopped part; returns when it serves."""
        self.run(self.system.stack.start_part(part), START_SECONDS)

    def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """What the database holds, seen by one whom no wall stops."""
        return asyncio.run(_fetch(self.system.postgres.access().superuser_dsn, query, arguments))

    def value(self, query: str, *arguments: object) -> Any:
        """The one value of the one row."""
        (row,) = self.rows(query, *arguments)
        (value,) = row.values()
        return value

    def start_worker(self, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """A further worker, on this stack's database; whoever starts it ends it."""
        settings = {**self.system.settings_of("worker"), "MNEMA_SERVER__PORT": "0", **environment}
        with (self.home / "logs" / "further-workers.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "services.app.serve", "worker"],
                env={**os.environ, **LEAN, **settings},
                stdout=log,
                stderr=log,
            )

    def log_tail(self, most: int = 3000) -> str:
        """The ends of the logs, for the message of a test that failed."""
        logs = sorted((self.home / "logs").glob("*.log"))
        return "\n".join(
            f"--- {log.name}\n{log.read_bytes()[-most:].decode(errors='replace')}"
            for log in logs
            if log.name != "access.log" and log.stat().st_size
        )


@contextlib.contextmanager
def started(home: Path, environment: Mapping[str, str]) -> Iterator[OwnStack]:
    """A stack on a home that is kept."""
    stack = OwnStack(home, environment)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@contextlib.contextmanager
def own_stack(environment: Mapping[str, str] | None = None) -> Iterator[OwnStack]:
    """A stack on a fresh home, which is removed afterwards."""
    with fresh_home() as home, started(home, environment or {}) as stack:
        yield stack


@contextlib.contextmanager
def fresh_home() -> Iterator[Path]:
    """An empty folder, removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="mnema-e2e-"))
    home.chmod(0o755)  # PostgreSQL runs under another account when we are root
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def _fetch(dsn: str, query: str, arguments: tuple[object, ...]) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=20)
    try:
        return [dict(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()
