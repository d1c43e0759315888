"""The supervisor with real processes: order, crashes, orphans, locks, logs."""

import asyncio
import dataclasses
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import psutil
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.embedded import keeper, probes
from services.embedded.events import Crashed, Event, LeftoverEnded, Ready, RestartFailed, Stopped
from services.embedded.failures import AlreadyRunning, PortTaken, StartFailed
from services.embedded.parts import Part, Process, Step, StopStage, ordered
from services.embedded.ports import free_ports, require_free
from services.embedded.postgres import EmbeddedPostgres
from services.embedded.probes import GrpcHealth, HttpOk
from services.embedded.supervisor import Stack
from tests.patience import PATIENCE

HTTP = "import http.server as h; print('listening', flush=True); h.test(h.SimpleHTTPRequestHandler"


def web(name: str, port: int, *depends_on: str) -> Process:
    """A process that serves HTTP on a port."""
    argv = (sys.executable, "-c", f"{HTTP}, port={port}, bind='127.0.0.1')")
    return Process(name, argv, depends_on=depends_on, ready=HttpOk("127.0.0.1", port))


def script(name: str, program: str, **fields: object) -> Process:
    """A process that runs a Python program."""
    process = Process(name, (sys.executable, "-c", program))
    return dataclasses.replace(process, **fields)  # type: ignore[arg-type]


async def until(condition: Callable[[], bool], timeout: float = PATIENCE) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def answers(port: int) -> bool:
    """Waits for an answer as long as it may take; a question gives up after a second."""
    async with asyncio.timeout(PATIENCE):
        while not await HttpOk("127.0.0.1", port)():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    return True


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_parts_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    first, second = free_ports(2)
    seen: list[str] = []

    async def migrate() -> None:
        assert await answers(first)
        seen.append("migrated")

    def listen(event: Event) -> None:
        if isinstance(event, Ready | Stopped):
            seen.append(f"{type(event).__name__} {event.part}")

    parts: list[Part] = [
        web("b", second, "migrate"),
        Step("migrate", migrate, ("a",)),
        web("a", first),
    ]
    async with Stack(tmp_path, parts, on_event=listen) as running:
        pids = [running.pid("a"), running.pid("b")]
        assert all(pid and os.getpgid(pid) == os.getsid(pid) == pid for pid in pids)
        assert "listening" in running.log_path("a").read_text()
    assert seen == ["Ready a", "migrated", "Ready migrate", "Ready b", "Stopped b", "Stopped a"]
    assert all(pid and gone(pid) for pid in pids)
    assert list((tmp_path / "run").glob("*.pid")) == []


async def test_a_crashed_part_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_SETTLED", 10 * PATIENCE)  # so that the second pause is longer
    (port,) = free_ports(1)
    events: list[Event] = []
    async with Stack(tmp_path, [web("web", port)], on_event=events.append) as running:
        for crash in (1, 2):
            old = running.pid("web")
            running.kill("web", signal.SIGKILL)
            await until(lambda: not running.is_ready("web"))
            await running.wait_ready("web", timeout=PATIENCE)
            assert running.pid("web") != old
            assert running.restarts("web") == crash
        assert await answers(port)
    crashes = [event for event in events if isinstance(event, Crashed)]
    assert [crash.exit_code for crash in crashes] == [-9, -9]
    assert crashes[0].restart_in < crashes[1].restart_in
    assert "listening" in crashes[0].log_tail


async def in_place_of(running: Stack, port: int) -> socket.socket:
    """Listens where the part "web" did, which is killed until it is not back before us."""
    while True:
        running.kill("web")
        await until(lambda: not running.is_ready("web"))
        stranger = socket.socket()
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            stranger.bind(("127.0.0.1", port))
            stranger.listen()
        except OSError:
            stranger.close()
            await running.wait_ready("web", timeout=PATIENCE)
        else:
            return stranger


async def test_a_restart_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    events: list[Event] = []
    stack = Stack(tmp_path, [web("web", port)], on_event=events.append)
    async with stack as running:
        # A stranger takes the port while the part is down.
        await running.stop_part("web")
        await running.start_part("web")
        with await in_place_of(running, port):
            await until(lambda: any(isinstance(event, RestartFailed) for event in events))
        await running.wait_ready("web", timeout=PATIENCE)
    failed = next(event for event in events if isinstance(event, RestartFailed))
    assert "Address already in use" in failed.log_tail


async def test_a_part_can_be_stopped_started_and_restarted(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    async with Stack(tmp_path, [web("web", port)]) as running:
        await running.stop_part("web")
        assert running.pid("web") is None
        assert not await HttpOk("127.0.0.1", port)()
        await running.start_part("web")
        old = running.pid("web")
        await running.restart("web")
        assert running.pid("web") not in (None, old)
        assert running.restarts("web") == 0


async def test_a_part_that_cannot_start_says_why_and_stops_the_others(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    events: list[Event] = []
    broken = script("broken", "import sys; sys.exit('no such setting: x')", depends_on=("web",))
    # Never ready, so that its end is seen.
    broken = dataclasses.replace(broken, ready=HttpOk("127.0.0.1", 1))
    stack = Stack(tmp_path, [web("web", port), broken], on_event=events.append)
    with pytest.raises(StartFailed, match="ended with code 1 while starting") as caught:
        await stack.start()
    assert caught.value.log_tail == "no such setting: x"
    assert any(isinstance(event, Stopped) and event.part == "web" for event in events)
    # Everything was given back: the same home starts again.
    async with Stack(tmp_path, [web("web", port)]):
        pass


async def test_a_part_that_is_never_ready_fails_in_time(tmp_path: Path) -> None:
    never = script("never", "import time; time.sleep(600)", ready_timeout=0.4)
    never = dataclasses.replace(never, ready=GrpcHealth("127.0.0.1:1"))
    with pytest.raises(StartFailed, match="not ready after"):
        await Stack(tmp_path, [never]).start()
    with pytest.raises(StartFailed, match="cannot run /no/such/program"):
        await Stack(tmp_path, [Process("missing", ("/no/such/program",))]).start()


async def test_a_part_that_will_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    program = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    events: list[Event] = []
    stubborn = script("stubborn", program, stop=(StopStage(signal.SIGTERM, 0.3),))
    stack = Stack(tmp_path, [stubborn], on_event=events.append)
    async with stack:
        await until(lambda: stack.log_path("stubborn").read_text().endswith("\n"))
        grandchild = int(stack.log_path("stubborn").read_text())
    (stopped,) = [event for event in events if isinstance(event, Stopped)]
    assert stopped.forced
    await until(lambda: gone(grandchild))


async def test_readiness_by_grpc_health(monkeypatch: pytest.MonkeyPatch) -> None:
    server = grpc.aio.server()
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    probe = GrpcHealth(f"127.0.0.1:{port}", "mnema.v1.Any")
    assert not await probe()
    await server.start()
    monkeypatch.setattr(probes, "_TIMEOUT", PATIENCE)
    assert not await probe()
    for status, ready in ((health_pb2.HealthCheckResponse.SERVING, True), (2, False)):
        await servicer.set("mnema.v1.Any", status)
        assert await probe() is ready
    await server.stop(0)


async def test_a_second_stack_on_the_same_home_is_refused(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    async with Stack(tmp_path, [web("web", port)]) as running:
        with pytest.raises(AlreadyRunning, match=f"in use by process {os.getpid()}"):
            await Stack(tmp_path, []).start()
        assert running.is_ready("web")


async def test_parts_die_with_a_killed_supervisor_and_its_home_is_free(tmp_path: Path) -> None:
    """The supervisor is a process of its own; one part ignores what the kernel tells it."""
    program = (
        "import asyncio, pathlib, sys\n"
        "from services.embedded.parts import Process\n"
        "from services.embedded.supervisor import Stack\n"
        "deaf = 'import signal,time; signal.signal(15, signal.SIG_IGN); print(1,flush=True)'\n"
        "sleep = 'import time; print(1, flush=True); time.sleep(600)'\n"
        "async def main():\n"
        "    home = pathlib.Path(sys.argv[1])\n"
        "    parts = [Process('deaf', (sys.executable, '-c', deaf + '; time.sleep(600)')),\n"
        "             Process('mild', (sys.executable, '-c', sleep))]\n"
        "    async with Stack(home, parts) as running:\n"
        "        while not all(running.log_path(p.name).read_text() for p in parts):\n"
        "            await asyncio.sleep(0.02)\n"
        "        print(running.pid('deaf'), running.pid('mild'), flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert supervisor.stdout is not None
    line = await asyncio.wait_for(supervisor.stdout.readline(), PATIENCE)
    deaf, mild = (int(each) for each in line.split())
    supervisor.kill()
    await supervisor.wait()
    await until(lambda: gone(mild))
    assert not gone(deaf)

    events: list[Event] = []
    quick = script("deaf", "import time; time.sleep(600)", stop=(StopStage(signal.SIGTERM, 0.3),))
    async with Stack(tmp_path, [quick], on_event=events.append) as running:
        assert gone(deaf)
        assert running.pid("deaf") != deaf
    assert LeftoverEnded("deaf", deaf) in events


async def test_a_record_of_a_stranger_is_not_touched(tmp_path: Path) -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "600")  # leads no group of its own
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "gone.pid").write_text(str(stranger.pid))
    (tmp_path / "run" / "odd.pid").write_text("not a number")
    async with Stack(tmp_path, []):
        assert stranger.returncode is None
        assert list((tmp_path / "run").glob("*.pid")) == []
    stranger.kill()
    await stranger.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_run_ends_everything_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    (port,) = free_ports(1)
    stack = Stack(tmp_path, [web("web", port)])
    run = asyncio.create_task(stack.run())
    await stack.wait_ready("web")
    pid = stack.pid("web")
    os.kill(os.getpid(), number)
    await asyncio.wait_for(run, PATIENCE)
    assert pid is not None
    assert gone(pid)


async def test_a_signal_while_starting_ends_it_too(tmp_path: Path) -> None:
    slow = script("slow", "import time; time.sleep(600)")
    slow = dataclasses.replace(slow, ready=HttpOk("127.0.0.1", 1))
    stack = Stack(tmp_path, [slow])
    run = asyncio.create_task(stack.run())
    await until(lambda: stack.pid("slow") is not None)
    pid = stack.pid("slow")
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(run, PATIENCE)
    assert pid is not None
    assert gone(pid)


async def test_logs_stay_below_their_size(tmp_path: Path) -> None:
    chatty = script("chatty", "while True: print('x' * 99, flush=True)")
    async with Stack(tmp_path, [chatty], log_bytes=50_000, log_check=0.05) as running:
        log = running.log_path("chatty")
        old = log.with_name("chatty.log.1")
        await until(old.exists)
        first = old.stat().st_mtime_ns
        await until(lambda: old.stat().st_mtime_ns > first)
    # The writer went on at the start of the emptied file, not behind a hole.
    for file in (old, log):
        assert set(file.read_bytes()) <= set(b"x\n")


async def test_postgres_as_a_part_comes_back_with_its_data(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")

    async def migrate() -> None:
        await server.ensure_roles_and_database()

    parts: list[Part] = [server.process(), Step("migrate", migrate, ("postgres",))]
    async with Stack(tmp_path, parts) as running:
        running.kill("postgres", signal.SIGKILL)
        await until(lambda: not running.is_ready("postgres"))
        await running.wait_ready("postgres")
        await server.ensure_roles_and_database()
    made = (server.data_dir / "PG_VERSION").stat()
    async with Stack(tmp_path, parts) as running:
        assert running.is_ready("postgres")
    assert (server.data_dir / "PG_VERSION").stat() == made


def test_a_taken_port_is_named_with_its_holder() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"port {port} .*process {os.getpid()}.*--port"):
            require_free(port)
    require_free(port)


def test_impossible_orders_are_refused() -> None:
    one, other = Process("a", (), depends_on=("b",)), Process("b", (), depends_on=("a",))
    with pytest.raises(ValueError, match="wait for each other"):
        ordered((one, other))
    with pytest.raises(ValueError, match="wait for each other or for nobody"):
        ordered((Process("a", (), depends_on=("nobody",)),))
    with pytest.raises(ValueError, match="same name"):
        ordered((Process("a", ()), Process("a", ())))
