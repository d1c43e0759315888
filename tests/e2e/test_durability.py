"""kill -9 anywhere: what was acknowledged is there, once, and everything comes back by itself."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.e2e import ledger
from tests.e2e.gateway import Gateway
from tests.e2e.ingest_load import IngestLoad, Persistent
from tests.e2e.own_stack import OwnStack, own_stack
from tests.e2e.waiting import until
from tests.openai_server import ChatRequest, OpenAiServer, canned_extraction

pytestmark = pytest.mark.timeout(180)

_WAITING = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE usename = 'mnema_service' AND wait_event_type = 'Lock'"
)


@pytest.fixture(scope="module")
def stack() -> Iterator[OwnStack]:
    with own_stack() as running:
        yield running


@pytest.fixture
def gateway(stack: OwnStack) -> Iterator[Gateway]:
    gateway = stack.gateway()
    yield gateway
    gateway.close()


@pytest.fixture
def user_id() -> str:
    return f"user-{uuid4().hex[:12]}"


def test_load_survives_the_death_of_every_part(stack: OwnStack, gateway: Gateway) -> None:
    users = ("ada", "bob")
    with IngestLoad(stack, users) as load:
        load.wait_for_progress()
        for part in ("ingest", "worker", "backend", "vector", "envoy", "postgres", "worker"):
            if part == "backend":
                _kill_backend(stack)
            else:
                stack.crash(part)
            load.wait_for_progress()
    # Otherwise nothing was killed in mid-call, and this test has shown nothing.
    assert load.repeated > 0
    other = gateway.new_tenant("undisturbed")
    calls = 0
    for user_id in users:
        ledger.settled(stack, gateway, user_id)
        owner_id = ledger.owner(stack.tenant, user_id)
        expected = [
            (each.session_id, each.sequence, each.message_id, each.content)
            for each in load.acknowledged
            if each.user_id == user_id
        ]
        ledger.check_messages(stack, owner_id, expected)
        ledger.check_index(stack, owner_id)
        ledger.say_again(stack, gateway, owner_id, user_id, other.api_key)
        ledger.settled(stack, gateway, user_id, other.api_key)
        undisturbed = ledger.remembered(stack, ledger.owner(other, user_id))
        assert sum(undisturbed.memories.values()) == len(expected)  # one sentence, one memory
        assert ledger.remembered(stack, owner_id) == undisturbed
        calls += ledger.answered_requests(stack, owner_id)
    assert calls == load.calls


def _kill_backend(stack: OwnStack) -> None:
    """kill -9 of one server process that a service is connected to; PostgreSQL ends the others."""
    pid = stack.value(
        "SELECT pid FROM pg_stat_activity WHERE usename = 'mnema_service' "
        "ORDER BY state = 'active' DESC, query_start DESC LIMIT 1"
    )
    started = stack.value("SELECT pg_postmaster_start_time()")
    os.kill(pid, signal.SIGKILL)
    until(lambda: _serves(stack, pid), bool, seconds=30)
    assert stack.value("SELECT pg_postmaster_start_time()") == started  # the postmaster lived on


def _serves(stack: OwnStack, without: int) -> bool:
    try:
        query = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
        return bool(stack.value(query, without) == 0)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return False


def test_ingest_killed_in_a_call_that_it_had_not_committed(
    stack: OwnStack, gateway: Gateway, user_id: str
) -> None:
    first = _ingest(gateway, user_id, "I love amber anchors.")
    ledger.settled(stack, gateway, user_id)
    owner_id = ledger.owner(stack.tenant, user_id)
    with ThreadPoolExecutor(1) as executor:
        with _session_held(stack, owner_id) as waiting:
            answer = executor.submit(_ingest_persistently, stack, user_id, "I love azure kites.")
            until(waiting, bool)  # the call stands in its transaction, at the session's row
            stack.crash("ingest")
        second, repeated = answer.result(60)
    assert repeated > 0
    ledger.settled(stack, gateway, user_id)
    ledger.check_messages(stack, owner_id, [_row(first), _row(second)])
    assert ledger.answered_requests(stack, owner_id) == 1


def test_an_answer_lost_after_the_commit_is_given_again(
    stack: OwnStack, gateway: Gateway, user_id: str
) -> None:
    first = _ingest(gateway, user_id, "I love amber anchors.")
    ledger.settled(stack, gateway, user_id)
    owner_id = ledger.owner(stack.tenant, user_id)
    count = "SELECT count(*) FROM messages WHERE owner_id = $1"
    with ThreadPoolExecutor(1) as executor:
        with _session_held(stack, owner_id) as waiting:
            answer = executor.submit(_ingest_persistently, stack, user_id, "I love azure kites.")
            until(waiting, bool)
            stack.signal("envoy", signal.SIGSTOP)  # what comes back now gets no further
        until(lambda: stack.value(count, owner_id), lambda messages: messages == 2)
        stack.crash("envoy")
        second, repeated = answer.result(60)
    assert repeated > 0
    ledger.settled(stack, gateway, user_id)
    ledger.check_messages(stack, owner_id, [_row(first), _row(second)])
    assert ledger.answered_requests(stack, owner_id) == 1


def test_an_extraction_survives_one_worker_after_another(
    stack: OwnStack, gateway: Gateway, user_id: str
) -> None:
    with _held_extraction(stack) as held:
        message = _ingest(gateway, user_id, "I work at Siemens.")
        for turn in range(1, 4):
            worker = held.start_worker()
            held.wait_until_asked(turn)
            worker.kill()
        held.start_worker()
        held.wait_until_asked(4)
        held.release()
        ledger.settled(stack, gateway, user_id)
        assert held.asked() == 4
    _check_single(stack, user_id, message)


def test_a_frozen_worker_that_comes_back_changes_nothing(
    stack: OwnStack, gateway: Gateway, user_id: str
) -> None:
    with _held_extraction(stack) as held:
        message = _ingest(gateway, user_id, "I work at Siemens.")
        frozen = held.start_worker()
        held.wait_until_asked(1)
        frozen.send_signal(signal.SIGSTOP)
        held.start_worker()
        held.wait_until_asked(2)  # taken from the one that is silent
        held.release()
        ledger.settled(stack, gateway, user_id)
        before = ledger.remembered(stack, ledger.owner(stack.tenant, user_id))
        frozen.send_signal(signal.SIGCONT)  # it has the model's answer, and wants to store it
        frozen.send_signal(signal.SIGTERM)
        assert frozen.wait(30) == 0
        assert ledger.remembered(stack, ledger.owner(stack.tenant, user_id)) == before
    _check_single(stack, user_id, message)


def test_a_worker_asked_to_stop_gives_its_job_back_at_once(
    stack: OwnStack, gateway: Gateway, user_id: str
) -> None:
    with _held_extraction(stack, drain_seconds=0.2) as held:
        message = _ingest(gateway, user_id, "I work at Siemens.")
        first = held.start_worker()
        held.wait_until_asked(1)
        first.send_signal(signal.SIGTERM)
        assert first.wait(20) == 0
        held.start_worker()
        held.release()
        ledger.settled(stack, gateway, user_id)
    _check_single(stack, user_id, message)


@contextmanager
def _session_held(stack: OwnStack, owner_id: UUID) -> Iterator[Callable[[], bool]]:
    """Keeps the user's sessions locked; gives a question: is a service waiting for one?"""
    dsn = stack.system.postgres.access().superuser_dsn
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(dsn))
        try:
            held = "SELECT FROM sessions WHERE owner_id = $1 FOR UPDATE"
            runner.run(connection.execute("BEGIN"))
            runner.run(connection.fetch(held, owner_id))
            yield lambda: stack.value(_WAITING) > 0
        finally:
            runner.run(connection.close())


class Held:
    """Workers whose model answers only when it is told to."""

    def __init__(self, stack: OwnStack, server: OpenAiServer, drain_seconds: float) -> None:
        self._stack = stack
        self._server = server
        self._environment = {
            "MNEMA_EXTRACTION__EXTRACTOR": "llm",
            "MNEMA_LLM__PROVIDER": "openai_compatible",
            "MNEMA_LLM__MODEL": "test-model",
            "MNEMA_LLM__BASE_URL": server.base_url,
            "MNEMA_SERVER__DRAIN_SECONDS": str(drain_seconds),
        }
        self._gate = threading.Event()
        self._workers: list[subprocess.Popen[bytes]] = []
        server.answer = self._answer

    def start_worker(self) -> "subprocess.Popen[bytes]":
        """A further worker; ended with the block."""
        self._workers.append(self._stack.start_worker(self._environment))
        return self._workers[-1]

    def asked(self) -> int:
        """How often the model was asked."""
        return self._server.count("chat")

    def wait_until_asked(self, times: int) -> None:
        """Returns when the model has been asked so often; a worker starts meanwhile."""
        until(self.asked, lambda asked: asked == times, seconds=30)

    def release(self) -> None:
        """Answers, now and from now on."""
        self._gate.set()

    def end(self) -> None:
        self.release()
        for worker in self._workers:
            worker.kill()
            worker.wait(10)

    def _answer(self, request: ChatRequest) -> object:
        self._gate.wait(60)
        return canned_extraction(request)


@contextmanager
def _held_extraction(stack: OwnStack, *, drain_seconds: float = 5.0) -> Iterator[Held]:
    """In the block no worker works but those of `Held`."""
    stack.stop_part("worker")
    try:
        with OpenAiServer() as server:
            held = Held(stack, server, drain_seconds)
            try:
                yield held
            finally:
                held.end()
    finally:
        stack.start_part("worker")


def _check_single(stack: OwnStack, user_id: str, message: dict[str, Any]) -> None:
    """What a single "I work at Siemens." leaves behind, whatever happened on the way."""
    owner_id = ledger.owner(stack.tenant, user_id)
    ledger.check_messages(stack, owner_id, [_row(message)])
    ledger.check_index(stack, owner_id)
    found = ledger.remembered(stack, owner_id)
    assert list(found.memories.values()) == [1], found.memories
    assert list(found.edges.values()) == [1], found.edges


def _ingest(gateway: Gateway, user_id: str, content: str) -> dict[str, Any]:
    fields = {"user_id": user_id, "session_id": "s", "role": "user", "content": content}
    message: dict[str, Any] = gateway.call("IngestService.Ingest", fields)["message"]
    return message


def _ingest_persistently(stack: OwnStack, user_id: str, content: str) -> tuple[dict[str, Any], int]:
    """The message, and how often the call had to be repeated."""
    client = Persistent(stack.gateway())
    fields = {"user_id": user_id, "session_id": "s", "role": "user", "content": content}
    try:
        answer = client.call("IngestService.Ingest", {**fields, "request_id": str(uuid4())})
    finally:
        client.gateway.close()
    return answer["message"], client.repeated


def _row(message: dict[str, Any]) -> tuple[Any, ...]:
    return (
        message["session_id"],
        int(message["sequence"]),
        message["message_id"],
        message["content"],
    )
