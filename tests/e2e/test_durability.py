"""kill -9 anywhere: what was acknowledged is there, once, and everything comes back by itself."""

import os
import signal
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.e2e import ledger
from tests.e2e.gateway import Gateway
from tests.e2e.held_extraction import held_extraction
from tests.e2e.ingest_load import SENTENCES, IngestLoad
from tests.e2e.locked_write import WRITES, Trial, Write
from tests.e2e.own_stack import OwnStack, own_stack
from tests.e2e.waiting import until

pytestmark = pytest.mark.timeout(600)


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


@pytest.mark.feature("X03")
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
    until(lambda: _serves(stack, pid), bool)
    assert stack.value("SELECT pg_postmaster_start_time()") == started  # the postmaster lived on


def _serves(stack: OwnStack, without: int) -> bool:
    try:
        query = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
        return bool(stack.value(query, without) == 0)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return False


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.part)
def test_a_service_killed_in_a_call_that_it_had_not_committed(
    stack: OwnStack, gateway: Gateway, user_id: str, write: Write
) -> None:
    trial = Trial.prepare(stack, gateway, user_id, write)
    with trial.locked():
        trial.call()
        stack.crash(write.part)
    trial.check()


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.part)
def test_an_answer_lost_after_the_commit_is_given_again(
    stack: OwnStack, gateway: Gateway, user_id: str, write: Write
) -> None:
    trial = Trial.prepare(stack, gateway, user_id, write)
    with trial.locked():
        trial.call()
        stack.signal("envoy", signal.SIGSTOP)  # what comes back now gets no further
    until(trial.is_committed, bool)
    stack.crash("envoy")
    trial.check()


def test_what_was_acknowledged_a_moment_ago_survives_the_database(
    stack: OwnStack, gateway: Gateway, user_id: str
) -> None:
    messages = [_ingest(gateway, user_id, content) for content in SENTENCES[:10]]
    stack.crash("postgres")
    ledger.settled(stack, gateway, user_id)
    owner_id = ledger.owner(stack.tenant, user_id)
    ledger.check_messages(stack, owner_id, [_row(each) for each in messages])


def test_an_extraction_survives_one_worker_after_another(
    stack: OwnStack, gateway: Gateway, user_id: str
) -> None:
    with held_extraction(stack) as held:
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
    with held_extraction(stack) as held:
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
        assert frozen.wait(120) == 0
        assert ledger.remembered(stack, ledger.owner(stack.tenant, user_id)) == before
    _check_single(stack, user_id, message)


def test_the_database_dies_while_the_model_thinks(
    stack: OwnStack, gateway: Gateway, user_id: str
) -> None:
    with held_extraction(stack) as held:
        message = _ingest(gateway, user_id, "I work at Siemens.")
        held.start_worker()
        held.wait_until_asked(1)
        stack.crash("postgres")
        held.release()
        ledger.settled(stack, gateway, user_id)
    _check_single(stack, user_id, message)


def test_a_worker_asked_to_stop_gives_its_job_back_at_once(
    stack: OwnStack, gateway: Gateway, user_id: str
) -> None:
    with held_extraction(stack, drain_seconds=0.2) as held:
        message = _ingest(gateway, user_id, "I work at Siemens.")
        first = held.start_worker()
        held.wait_until_asked(1)
        first.send_signal(signal.SIGTERM)
        assert first.wait(120) == 0
        held.start_worker()
        held.release()
        ledger.settled(stack, gateway, user_id)
    _check_single(stack, user_id, message)


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


def _row(message: dict[str, Any]) -> tuple[Any, ...]:
    return (
        message["session_id"],
        int(message["sequence"]),
        message["message_id"],
        message["content"],
    )
