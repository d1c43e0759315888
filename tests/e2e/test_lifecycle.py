"""A user's whole data: out, away, back in; and what is left of it anywhere."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from mnema.client import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    Mnema,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)
from services.app.local_stack import LocalStack
from services.recall.accesses import FLUSH_SECONDS
from services.runtime.ids import TenantId, owner_of
from tests.e2e.contract import rpc
from tests.e2e.gateway import Gateway, Tenant
from tests.e2e.seeding import Seeds, seed
from tests.e2e.waiting import until
from tests.e2e.whole_database import accesses, objects_with, rows_with, unembedded

pytestmark = pytest.mark.feature("N16")

TOPICS = (
    "Lisbon",
    "hiking",
    "Emma",
    "the dog",
    "work",
    "tea",
    "trains",
    "the holiday",
    "jazz",
    "Noah",
)
QUESTIONS = (
    "What about {}?",
    "Who likes {}?",
    "When was {} mentioned?",
    "Where does {} come up?",
    "Tell me of {} and the hike",
)
QUERIES = [question.format(topic) for topic in TOPICS for question in QUESTIONS]


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[Mnema]:
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        yield nm


@pytest.fixture
def seeds(gateway: Gateway, client: Mnema, user_id: str) -> Seeds:
    """One of everything, with history: corrections, changed values, closed edges, a big file."""
    made = seed(gateway, gateway.tenant, user_id)
    for number, topic in enumerate(TOPICS):
        client.add_memory(user_id, f"{topic} came up on day {number}, says {made.marker}.")
    client.ingest(user_id=user_id, role="assistant", content="Jazz tonight?", session_id="evening")
    client.ingest(
        user_id=user_id, role="user", content=f"I moved to {made.marker}.", session_id="evening"
    )
    client.wait_until_extracted(user_id)
    client.memories.update(user_id, made.spare_memory_id, content="A corrected thought on trains.")
    client.kv.set(user_id, "preferences", "tea", None)
    client.kv.set(user_id, "preferences", "tea", {"sugar": [1, 2.5, "no", None, True]})
    client.kv.delete(user_id, "profile", "nickname")
    client.files.upload(user_id, "big.txt", f"{made.marker} and tea. ".encode() * 20_000)
    client.files.create_from_text(user_id, "Notes", f"Noah hears jazz with {made.marker}.")
    client.digest(user_id)
    return made


def answers(client: Mnema, user_id: str, as_of: datetime | None = None) -> list[Any]:
    """What 50 queries find, in their order, without what time or counting changes."""
    found = []
    for query in QUERIES:
        result = client.recall(user_id, query, limit=5, include_conversations=True, as_of=as_of)
        found.append([(each["source"], each["content"]) for each in result["merged"]])
    return found


def settled(stack: LocalStack) -> None:
    until(lambda: asyncio.run(unembedded(stack)), lambda count: count == 0)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def changed(lines: Sequence[dict[str, Any]], kind: str, **fields: Any) -> list[dict[str, Any]]:
    """The lines with other fields in the first record of a kind."""
    at = next(number for number, line in enumerate(lines) if line["kind"] == kind)
    record = {**lines[at]["record"], **fields}
    return [*lines[:at], {**lines[at], "record": record}, *lines[at + 1 :]]


def all_counted(stack: LocalStack) -> None:
    """Returns when nothing has been counted for longer than counts of recalls are held back."""
    seen, since = -1, 0.0

    def quiet_seconds() -> float:
        nonlocal seen, since
        if (total := asyncio.run(accesses(stack))) != seen:
            seen, since = total, time.monotonic()
        return time.monotonic() - since

    until(quiet_seconds, lambda seconds: seconds > FLUSH_SECONDS + 1)


@pytest.mark.feature("B17")
def test_out_away_and_back_again(
    stack: LocalStack, client: Mnema, seeds: Seeds, tmp_path: Path
) -> None:
    user_id = seeds.user_id
    settled(stack)
    then = datetime.now(UTC)
    client.add_memory(user_id, f"After that moment, jazz again with {seeds.marker}.")
    settled(stack)
    now_before, then_before = answers(client, user_id), answers(client, user_id, then)
    assert sum(map(len, now_before)) >= 200
    assert now_before != then_before
    all_counted(stack)
    first = client.export_to(user_id, tmp_path / "first.jsonl")
    client.delete_user_data(user_id)
    with pytest.raises(NotFound):
        client.export_to(user_id, tmp_path / "nothing.jsonl")
    assert not (tmp_path / "nothing.jsonl").exists()
    told: list[tuple[int, int]] = []
    result = client.import_from(user_id, first, progress=lambda *done: told.append(done))
    assert told[-1] == (first.stat().st_size, first.stat().st_size)
    second = client.export_to(user_id, tmp_path / "second.jsonl")
    header, *rest = first.read_text().splitlines()
    assert second.read_text().splitlines()[1:] == rest
    assert result["imported"] == json.loads(header)["counts"] == json.loads(rest[-1])["counts"]
    settled(stack)
    assert answers(client, user_id) == now_before
    assert answers(client, user_id, then) == then_before
    history = client.memories.revisions(user_id, seeds.spare_memory_id)
    assert len({each.content for each in history}) == 2
    file = next(each for each in client.files.list(user_id) if each.filename == "big.txt")
    assert client.files.download(user_id, file.id) == f"{seeds.marker} and tea. ".encode() * 20_000


def test_nothing_is_left_of_a_deleted_user(
    stack: LocalStack, gateway: Gateway, client: Mnema, seeds: Seeds
) -> None:
    owner_id = str(owner_of(TenantId(UUID(gateway.tenant.tenant_id)), seeds.user_id))
    words = (seeds.user_id, seeds.marker, owner_id, seeds.memory_id, seeds.message_id)
    for profile in (seeds.profile_name, seeds.spare_profile_name):
        client.ranking_profiles.delete(profile)  # the tenant's, whoever has made them
    settled(stack)
    client.recall(seeds.user_id, "the hike")  # counted two seconds later, when it is too late
    assert {each.split(":")[0] for each in asyncio.run(rows_with(stack, words))} >= {"memories"}
    assert objects_with(stack, [seeds.marker])
    told = client.delete_user_data(seeds.user_id)
    assert told["deleted"]["embeddings"] > 20
    assert told["deleted"]["memories"] > 10
    assert told["deleted"]["api_keys"] >= 2
    until(
        lambda: client.get_deletion(seeds.user_id, told["deletion_id"])["state"],
        lambda state: state == "done",
    )
    receipt = client.get_deletion(seeds.user_id, told["deletion_id"])
    assert (receipt["objects_deleted"], receipt["objects_pending"]) == (3, 0)
    assert receipt["deleted"] == told["deleted"]
    assert 29 <= (receipt["expires_at"] - datetime.now(UTC)).days <= 30
    until(lambda: asyncio.run(rows_with(stack, words)), lambda left: left == [])
    assert objects_with(stack, [seeds.marker]) == []


def test_a_deleted_user_starts_from_zero(client: Mnema, seeds: Seeds) -> None:
    user_id = seeds.user_id
    assert client.recall(user_id, "the hike", include_conversations=True)["merged"]
    client.delete_user_data(user_id)
    for _ in range(2):  # once before anything is stored, once after
        result = client.recall(user_id, "Emma and the hike", include_conversations=True)
        assert seeds.marker not in str(result)
        assert client.conversations.list_sessions(user_id)[1:] == []
        client.ingest(user_id=user_id, role="user", content="I like chess.", session_id="new")
    client.wait_until_extracted(user_id)
    found = client.recall(user_id, "What do I like?", include_conversations=True)["merged"]
    assert found
    assert all("chess" in each["content"] for each in found)
    assert client.emotion_profile(user_id)["latest_state"] is None


def test_a_deletion_is_repeated_without_harm(client: Mnema, seeds: Seeds) -> None:
    request_id = str(uuid4())
    first = client.delete_user_data(seeds.user_id, request_id=request_id)
    client.add_memory(seeds.user_id, "Said after the deletion.")
    assert client.delete_user_data(seeds.user_id, request_id=request_id) == first
    assert client.memories.list(seeds.user_id)
    with pytest.raises(AlreadyExists, match="request_id"):
        client.delete_user_data("somebody else", request_id=request_id)
    assert client.delete_user_data("nobody at all")["state"] == "done"
    with pytest.raises(NotFound):
        client.get_deletion("somebody else", first["deletion_id"])


def test_an_export_is_of_one_moment(client: Mnema, user_id: str) -> None:
    for number in range(30):
        client.ingest(user_id=user_id, role="user", content=f"Line {number}.", session_id="s")
    stop = threading.Event()

    def write() -> None:
        number = 30
        while not stop.is_set():
            client.ingest(user_id=user_id, role="user", content=f"Line {number}.", session_id="s")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            lines = list(client.iter_export(user_id))
            said = [line["record"] for line in lines if line["kind"] == "messages"]
            assert lines[0]["counts"]["messages"] == len(said)
            sequences = sorted(each["sequence"] for each in said)
            assert sequences == list(range(1, len(said) + 1))
            (session,) = [line["record"] for line in lines if line["kind"] == "sessions"]
            assert session["message_count"] == len(said)
    finally:
        stop.set()
        writer.join()
    assert len(client.conversations.list_sessions(user_id)) == 1


def test_an_export_may_be_left_early(client: Mnema, seeds: Seeds) -> None:
    """More often than exports may run at once."""
    for _ in range(12):
        with closing(client.iter_export(seeds.user_id)) as lines:
            assert next(lines)["kind"] == "header"
    assert list(client.iter_export(seeds.user_id))[-1]["kind"] == "trailer"


def test_what_a_user_has_as_a_dict(client: Mnema, seeds: Seeds) -> None:
    data = client.export_user_data(seeds.user_id)
    assert set(data) == {"memories", "conversations", "graph", "kv", "profile", "documents"}
    contents = {each["content"] for each in data["memories"]}
    assert contents == {each.content for each in client.memories.list(seeds.user_id, limit=500)}
    assert "A corrected thought on trains." in contents
    assert [each["role"] for each in data["conversations"]].count("assistant") == 1
    assert {"Emma", "Noah"} <= {each["name"] for each in data["graph"]["nodes"]}
    tea = [each["value"] for each in data["kv"] if each["key"] == "tea"]
    assert tea == [{"sugar": [1, 2.5, "no", None, True]}]
    assert data["profile"] is not None
    assert {each["filename"] for each in data["documents"]} >= {"big.txt", "Notes"}
    json.dumps(data)


def test_into_another_tenant_and_what_was_not_extracted_is(
    gateway: Gateway, client: Mnema, seeds: Seeds, tenant: Tenant
) -> None:
    lines = list(client.iter_export(seeds.user_id))
    with Mnema(gateway.address, api_key=tenant.api_key) as other:
        waiting = changed(lines, "messages", extraction_state="pending", extraction_id=None)
        other.import_from("newcomer", waiting)
        until(
            lambda: [each.extraction_state for each in _messages(other)],
            lambda states: set(states) == {"done"},
        )
        assert other.files.search("newcomer", "tea")
        other.ingest(user_id="newcomer", role="user", content="More.", session_id="evening")
        with pytest.raises(FailedPrecondition):
            other.import_from("newcomer", lines)


def _messages(client: Mnema) -> list[Any]:
    return [
        message
        for session in client.conversations.list_sessions("newcomer")
        for message in client.conversations.get_session_messages("newcomer", session.session_id)
    ]


def _broken(lines: list[dict[str, Any]]) -> dict[str, tuple[list[dict[str, Any]], str]]:
    """Exports that are not as they must be, and what is said of each."""
    *but_trailer, trailer = lines
    pieces = [line for line in lines if line["kind"] == "file_piece"]
    zeros = {**pieces[0], "chunk": base64.b64encode(bytes(9)).decode()}
    foreign = {**pieces[0], "file_id": str(uuid4())}
    without = [line for line in lines if line not in pieces]
    return {
        "cut off": (but_trailer, "trailer"),
        "too few": ([line for line in lines if line["kind"] != "pathways"], "pathways"),
        "another format": ([{**lines[0], "format": "zip"}, *lines[1:]], "format"),
        "another version": ([{**lines[0], "version": 9}, *lines[1:]], "version"),
        "no header": (lines[1:], "header"),
        "unknown kind": ([*but_trailer, {"kind": "api_keys", "record": {}}, trailer], "api_keys"),
        "derived kind": ([*but_trailer, {"kind": "numbers", "record": {}}, trailer], "numbers"),
        "unknown field": (changed(lines, "memories", mood="good"), "mood"),
        "another's bytes": (changed(lines, "documents", object_key="a/b/c"), "object_key"),
        "another owner": (changed(lines, "memories", owner_id=str(uuid4())), "owner_id"),
        "no number": (changed(lines, "memories", importance="very"), "memories"),
        "out of range": (changed(lines, "memories", importance=11), "memories"),
        "no such role": (changed(lines, "messages", role="boss"), "messages"),
        "missing field": (changed(lines, "memories", content=None), "memories"),
        "a session that is not there": (changed(lines, "messages", session_id="?"), "messages"),
        "NUL": (changed(lines, "memories", content="a\0b"), "memories"),
        "other bytes": ([*without[:-1], zeros, trailer], "bytes"),
        "bytes of no file": ([*without[:-1], foreign, trailer], "file_id"),
        "bytes that are not there": (
            [*without[:-1], {**trailer, "file_bytes": 0}],
            "did not come",
        ),
    }


def test_a_broken_export_leaves_nothing(client: Mnema, seeds: Seeds) -> None:
    lines = list(client.iter_export(seeds.user_id))
    target = f"target-{uuid4().hex[:8]}"
    for name, (broken, said) in _broken(lines).items():
        with pytest.raises(InvalidArgument) as refused:
            client.import_from(target, broken)
        assert said in str(refused.value), (name, str(refused.value))
        with pytest.raises(NotFound):
            list(client.iter_export(target))
    record = next(number for number, line in enumerate(lines) if line["kind"] == "memories")
    with pytest.raises(InvalidArgument, match=f"record {record} "):
        client.import_from(target, changed(lines, "memories", importance=11))
    client.import_from(target, lines)


def test_an_import_is_repeated_without_harm(gateway: Gateway, client: Mnema) -> None:
    method = rpc("LifecycleService.ImportUserData")
    memory = {
        "item_id": str(uuid4()),
        "memory_id": str(uuid4()),
        "memory_type": "fact",
        "content": "Owls hunt at night.",
    }
    target = {"user_id": f"owl-{uuid4().hex[:8]}", "request_id": str(uuid4())}
    header = {"format": "mnema.export", "version": 1, "user_id": "somebody"}
    parts: list[dict[str, Any]] = [
        {"target": target},
        {"header": header},
        {"record": {"kind": "memories", "json": json.dumps(memory)}},
        {"trailer": {"counts": {"memories": 1}}},
    ]
    requests = [method.request_of(part) for part in parts]
    key = gateway.tenant.api_key
    first = gateway.send(method, requests, key)
    assert gateway.send(method, requests, key) == first
    (kept,) = client.memories.list(target["user_id"])
    assert (kept.id, kept.content) == (memory["memory_id"], "Owls hunt at night.")
    requests[1] = method.request_of({"header": {**header, "user_id": "another"}})
    failure = gateway.failure(method, requests, key)
    assert failure is not None
    assert failure.reason == "REQUEST_ID_REUSED"


def test_a_users_own_key_goes_with_the_user(gateway: Gateway, user_id: str) -> None:
    key = gateway.new_user_key(user_id)
    with Mnema(gateway.address, api_key=key, retries=0) as own:
        own.add_memory(user_id, "Only mine.")
        assert own.export_user_data(user_id)["memories"][0]["content"] == "Only mine."
        with pytest.raises(PermissionDenied):
            own.export_user_data("somebody else")
        with pytest.raises(PermissionDenied):
            own.delete_user_data("somebody else")
        assert own.delete_user_data(user_id)["deleted"]["api_keys"] == 1

        def refused() -> bool:
            try:
                own.memories.list(user_id)
            except Unauthenticated:
                return True
            return False

        until(refused, bool)  # what is known of keys is kept for five seconds
