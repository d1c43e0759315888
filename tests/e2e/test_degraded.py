"""Recall while a part of the system is away, or frozen: what is left answers, and says so."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import asyncpg
import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.e2e import ledger
from tests.e2e.failure import failure_of_call
from tests.e2e.gateway import Gateway
from tests.e2e.own_stack import OwnStack, own_stack
from tests.e2e.waiting import until

pytestmark = pytest.mark.timeout(600)

USER = "alice"
ARMS = ("graph", "vector", "profile")  # the first two are parts, the third is a table
# The arms' own limits; the rest is the way, less than an answer that waits for what is frozen.
ARM_SECONDS = {"graph": 1.5, "vector": 3.0, "profile": 1.5}
WAY_SECONDS = 30.0


@pytest.fixture(scope="module")
def stack() -> Iterator[OwnStack]:
    limits = {
        f"MNEMA_RECALL__{arm.upper()}_TIMEOUT_SECONDS": str(seconds)
        for arm, seconds in ARM_SECONDS.items()
    }
    with own_stack(limits) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(stack: OwnStack) -> Iterator[Gateway]:
    gateway = stack.gateway()
    message = {"user_id": USER, "role": "user", "content": "I work at Siemens in Munich."}
    gateway.call("IngestService.Ingest", message)
    ledger.settled(stack, gateway, USER)
    yield gateway
    gateway.close()


@pytest.mark.parametrize("part", ["graph", "vector"])
def test_what_is_left_answers_while_a_part_is_stopped(
    stack: OwnStack, gateway: Gateway, part: str
) -> None:
    _check_whole(_recall(gateway))
    recall_pid = stack.pid("recall")
    with _stopped(stack, part):
        answer = _recall(gateway)
        _check_only_missing(answer, part)
        (missing,) = answer["degraded_arms"]
        assert missing["reason"].startswith("UNAVAILABLE")
    until(lambda: _recall(gateway), lambda answer: not answer["degraded"])
    _check_whole(_recall(gateway))
    assert stack.pid("recall") == recall_pid


def test_what_is_left_answers_while_the_profile_cannot_be_read(
    stack: OwnStack, gateway: Gateway
) -> None:
    _check_whole(_recall(gateway))
    with _without_right(stack, "SELECT ON key_values"):
        answer = _recall(gateway)
    _check_only_missing(answer, "profile")
    assert answer["degraded_arms"][0]["reason"].startswith("INTERNAL")
    _check_whole(_recall(gateway))


def test_the_profile_does_not_need_the_part_that_writes_it(
    stack: OwnStack, gateway: Gateway
) -> None:
    with _stopped(stack, "ingest"):
        _check_whole(_recall(gateway))


@pytest.mark.parametrize("arm", ARMS)
def test_a_frozen_arm_costs_its_own_time_and_no_more(
    stack: OwnStack, gateway: Gateway, arm: str
) -> None:
    _check_whole(_recall(gateway))
    with _frozen(stack, arm):
        began = time.monotonic()
        answer = _recall(gateway)
        took = time.monotonic() - began
    _check_only_missing(answer, arm)
    assert answer["degraded_arms"][0]["reason"].startswith("DEADLINE_EXCEEDED")
    assert ARM_SECONDS[arm] * 0.9 < took < ARM_SECONDS[arm] + WAY_SECONDS
    until(lambda: _recall(gateway), lambda answer: not answer["degraded"])
    assert all(stack.system.stack.restarts(part) == 0 for part in ("graph", "vector", "recall"))


def test_without_anything_to_search_the_call_fails_and_says_when_to_come_back(
    stack: OwnStack, gateway: Gateway
) -> None:
    with _stopped(stack, "vector"), _stopped(stack, "graph"), _stopped(stack, "ingest"):
        with pytest.raises(grpc.RpcError) as raised:
            _recall(gateway)
        error = cast(grpc.Call, raised.value)
        failure = failure_of_call(error)
        assert (failure.code, failure.domain) == ("UNAVAILABLE", "mnema")
        assert failure.reason
        assert "vector" in failure.message
        assert "graph" in failure.message
        assert 0 < _retry_delay(error) <= 5
    until(lambda: _answers(gateway), bool)
    until(lambda: _recall(gateway), lambda answer: not answer["degraded"])


def test_what_is_no_arm_of_recall_is_not_missed(stack: OwnStack, gateway: Gateway) -> None:
    with _stopped(stack, "worker"), _stopped(stack, "reflect"), _stopped(stack, "files"):
        _check_whole(_recall(gateway))
        # Acknowledged, and found by its words, though nobody extracts or embeds it yet.
        said = {"user_id": USER, "role": "user", "content": "I visited Reykjavik."}
        gateway.call("IngestService.Ingest", said)
        answer = _recall(gateway, "Reykjavik", include_conversations=True)
        assert [each["message"]["content"] for each in answer["conversation_results"]][:1] == [
            "I visited Reykjavik."
        ]
    ledger.settled(stack, gateway, USER)


def _recall(gateway: Gateway, query: str = "Where does alice work?", **fields: Any) -> Any:
    return gateway.call("RecallService.Recall", {"user_id": USER, "query": query, **fields})


def _answers(gateway: Gateway) -> bool:
    try:
        _recall(gateway)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE  # noqa: PT017
        return False
    return True


@contextmanager
def _stopped(stack: OwnStack, part: str) -> Iterator[None]:
    stack.stop_part(part)
    try:
        yield
    finally:
        stack.start_part(part)


@contextmanager
def _frozen(stack: OwnStack, arm: str) -> Iterator[None]:
    """The arm's part stands still, or its table is locked: nobody answers, nobody refuses."""
    if arm != "profile":
        stack.signal(arm, signal.SIGSTOP)
        try:
            yield
        finally:
            stack.signal(arm, signal.SIGCONT)
        return
    connection = stack.run(asyncpg.connect(_superuser(stack)), 60)
    try:
        locked = "BEGIN; LOCK TABLE key_values IN ACCESS EXCLUSIVE MODE"
        stack.run(connection.execute(locked), 60)
        yield
    finally:
        stack.run(connection.close(), 60)


@contextmanager
def _without_right(stack: OwnStack, right: str) -> Iterator[None]:
    """The services' role lacks a right, as after a mistake of whoever runs the database."""
    connection = stack.run(asyncpg.connect(_superuser(stack)), 60)
    try:
        stack.run(connection.execute(f"REVOKE {right} FROM mnema_service"), 60)
        try:
            yield
        finally:
            stack.run(connection.execute(f"GRANT {right} TO mnema_service"), 60)
    finally:
        stack.run(connection.close(), 60)


def _superuser(stack: OwnStack) -> str:
    return stack.system.postgres.access().superuser_dsn


def _check_whole(answer: dict[str, Any]) -> None:
    """Memories, facts and profile are all there."""
    assert not answer["degraded"], answer["degraded_arms"]
    assert _of_arm(answer) == dict.fromkeys(ARMS, True)


def _check_only_missing(answer: dict[str, Any], arm: str) -> None:
    assert answer["degraded"] is True
    assert [each["arm"] for each in answer["degraded_arms"]] == [arm]
    assert _of_arm(answer) == {each: each != arm for each in ARMS}


def _of_arm(answer: dict[str, Any]) -> dict[str, bool]:
    """For each arm, whether what it finds is in the answer."""
    memories = [each["memory"]["content"] for each in answer.get("vector_results", [])]
    return {
        "vector": any("Siemens" in each for each in memories),
        "graph": any("Siemens" in each for each in answer.get("graph_context", [])),
        "profile": "Siemens" in str(answer.get("user_profile", {}).get("occupation", "")),
    }


def _retry_delay(error: grpc.Call) -> float:
    """Seconds; -1 if the error does not say."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.ToTimedelta().total_seconds())
    return -1.0
