"""`mnema up` from its first start to a second one: by hand, by SIGTERM, by kill -9."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from services.embedded.ports import free_ports
from tests.e2e.gateway import Gateway, Tenant
from tests.e2e.own_stack import fresh_home
from tests.e2e.up_process import UpProcess, left_of, refused, up
from tests.e2e.waiting import until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def home() -> Iterator[Path]:
    with fresh_home() as home:
        yield home


@pytest.mark.feature("B05")
@pytest.mark.feature("X02")
def test_a_home_through_three_starts(home: Path, tmp_path: Path) -> None:
    with up(home, tmp_path / "first.log") as first:
        first.wait_until_up()
        key = first.printed("API key")
        _check_calls(first)
        _check_refusals(home, first, tmp_path)
        _check_end(home, first)
    with up(home, tmp_path / "second.log") as second:
        second.wait_until_up()
        assert second.printed("API key") == key
        _check_data(second)
        second.end(signal.SIGKILL)
        until(lambda: left_of(home), lambda left: not left)  # the kernel ends what it had started
    with up(home, tmp_path / "third.log") as third:
        third.wait_until_up()
        _check_data(third)
        _check_end(home, third)


def test_a_start_can_be_broken_off(home: Path, tmp_path: Path) -> None:
    with up(home, tmp_path / "up.log") as starting:
        starting.wait_for("postgres")
        assert starting.end(signal.SIGINT) == 0
        assert left_of(home) == []


def _check_calls(running: UpProcess) -> None:
    """The calls that it prints work as they are."""
    address, key = f"127.0.0.1:{running.port}", running.printed("API key")
    assert running.printed("gRPC, gRPC-Web") == address
    told = _run(["bash", "-c", running.call("curl")])
    assert '"I work at Google and live in Zurich."' in told
    grpcurl = running.call("grpcurl")
    assert f"{address} mnema.v1.RecallService/Recall" in grpcurl
    assert key in grpcurl
    code = running.call("Python")
    until(
        lambda: _run([sys.executable, "-c", code]), lambda told: "Lives in Zurich" in told
    )  # some moments later: the message has to be extracted


def _check_refusals(home: Path, running: UpProcess, tmp_path: Path) -> None:
    """Neither its home nor its port can be had twice, and it is told why."""
    code, told = refused(home, free_ports(1)[0])
    assert code == 1
    assert f"{home} is in use by process {running.process.pid}" in told
    code, told = refused(tmp_path / "another-home", running.port)
    assert code == 1
    assert str(running.port) in told
    assert "Traceback" not in told
    assert running.process.poll() is None


def _check_end(home: Path, running: UpProcess) -> None:
    """SIGTERM stops everything, in good order."""
    started = running.descendants()
    assert len(started) > 10  # the services, Envoy, PostgreSQL's processes
    assert running.end(signal.SIGTERM) == 0
    assert "stopped; the data stays in" in running.output
    assert [each for each in started if psutil.pid_exists(each.pid)] == []
    assert left_of(home) == []
    assert not list((home / "run").glob("*.pid"))


def _check_data(running: UpProcess) -> None:
    """What was said to the first one is there."""
    tenant = Tenant("", running.printed("API key"))
    with closing(Gateway(f"127.0.0.1:{running.port}", tenant, "")) as gateway:
        asked = {"user_id": "alice", "query": "Where does alice live?"}
        answer = gateway.call("RecallService.Recall", asked)
    assert not answer["degraded"]
    assert "alice -> LIVES_IN -> Zurich" in answer["graph_context"]
    contents = [each["memory"]["content"] for each in answer["vector_results"]]
    assert "Lives in Zurich." in contents


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
