"""One whole system for all tests of this folder: PostgreSQL, every service, Envoy."""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from services.app.local_stack import LocalStack
from services.embedded.ports import free_ports
from tests.e2e.environment import ENVIRONMENT
from tests.e2e.gateway import Gateway, Tenant

_LOG_SIZES = pytest.StashKey[dict[Path, int]]()
_LOGS = pytest.StashKey[Path]()


@dataclass(frozen=True)
class Loop:
    """An event loop in a thread of its own: the stack's, while tests are sync or async."""

    loop: asyncio.AbstractEventLoop
    thread: threading.Thread

    @classmethod
    def start(cls) -> "Loop":
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="stack", daemon=True)
        thread.start()
        return cls(loop, thread)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[LocalStack]:
    """Started once, in a home that is removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="mnema-e2e-"))
    home.chmod(0o755)  # PostgreSQL runs under another account when we are root
    request.config.stash[_LOGS] = home / "logs"
    loop = Loop.start()
    running = LocalStack(home, port=free_ports(1)[0], environment=ENVIRONMENT)
    try:
        asyncio.run_coroutine_threadsafe(running.__aenter__(), loop.loop).result(180)
        try:
            yield running
        finally:
            asyncio.run_coroutine_threadsafe(running.__aexit__(None, None, None), loop.loop).result(
                60
            )
    finally:
        loop.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def gateway(stack: LocalStack) -> Iterator[Gateway]:
    """The stack's public port, with the keys that its start made."""
    own = Tenant(stack.credentials.tenant_id, stack.api_key)
    gateway = Gateway(stack.address, own, stack.credentials.admin_key)
    yield gateway
    gateway.close()


@pytest.fixture
def user_id() -> str:
    """A user whom nobody else has."""
    return f"user-{uuid4().hex[:12]}"


@pytest.fixture
def tenant(gateway: Gateway) -> Tenant:
    """A tenant whom nobody else has."""
    return gateway.new_tenant(f"tenant {uuid4().hex[:8]}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    folder = item.config.stash.get(_LOGS, None)
    if folder is not None:
        item.stash[_LOG_SIZES] = {log: log.stat().st_size for log in folder.glob("*.log")}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        before = item.stash.get(_LOG_SIZES, {})
        folder = item.config.stash.get(_LOGS, Path("/nonexistent"))
        for log in sorted(folder.glob("*.log")):
            text = _written_since(log, before.get(log, 0))
            if text and log.name != "access.log":
                report.sections.append((f"{log.name} during the test", text))
    return report


def _written_since(log: Path, start: int, most: int = 6000) -> str:
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(min(start, size), size - most))
        return file.read().decode(errors="replace")
