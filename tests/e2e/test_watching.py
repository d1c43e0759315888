"""Watching what happens to memory, through the gateway: as it happens, once, and only one's own."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import grpc
import pytest

from mnema.client import AsyncMnema, Event, Mnema
from mnema.v1 import event_service_pb2 as pb
from mnema.v1.event_service_pb2_grpc import EventServiceStub
from tests.e2e.contract import rpc
from tests.e2e.gateway import Gateway, Tenant
from tests.e2e.llm_stack import LlmStack
from tests.e2e.llm_stack import llm_stack as running_llm_stack
from tests.e2e.troubled_model import TroubledServer
from tests.e2e.waiting import until

pytestmark = [
    pytest.mark.feature("N08"),
    pytest.mark.feature("X07"),
    pytest.mark.timeout(600),
]
EXTRACTION_KEYS = {
    "user_id", "session_id", "duration", "facts_extracted", "episodes_extracted",
    "triples_extracted", "messages_processed",
}  # fmt: skip
LLM_KEYS = {"duration_ms", "model", "max_tokens", "temperature", "success"}
EMBEDDING_KEYS = {"text_count", "duration_ms", "model", "success"}


@pytest.fixture(scope="module")
def llm_stack() -> Iterator[LlmStack]:
    """A system of its own, to be killed; its model answers."""
    with TroubledServer({}) as model, running_llm_stack(model) as running:
        yield running


class Watcher:
    """Watches with the client in a thread, from the moment it is made, until it is closed."""

    def __init__(self, address: str, key: str, **asked: Any) -> None:
        self.events: list[Event] = []
        self._client = Mnema(address, api_key=key)
        start = self._client.events.list(limit=1000)
        cursor = start[-1].cursor if start else None
        self._asked = {"cursor": cursor, **asked}
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        for event in self._client.events.watch(**self._asked):
            self.events.append(event)

    def told(self, kind: str, count: int = 1) -> list[Event]:
        """The events of a type, once there are so many."""
        return until(
            lambda: [each for each in self.events if each.type == kind],
            lambda found: len(found) >= count,
        )


def test_what_happens_to_a_memory_is_streamed(gateway: Gateway, tenant: Tenant) -> None:
    word = f"Quillfeather{uuid4().hex[:8]}"
    user = {"user_id": "alice"}
    stub: Any = EventServiceStub(gateway.channel)
    stream = stub.Watch(
        pb.WatchRequest(user_id="alice"),
        metadata=(("x-api-key", tenant.api_key),),
        timeout=240,
    )
    assert not next(stream).events

    def call(name: str, **fields: Any) -> dict[str, Any]:
        return gateway.call(name, {**user, **fields}, tenant.api_key)

    said = call("IngestService.Ingest", role="user", content=f"I work at {word} in Lisbon.")
    memory = {"memory_type": "MEMORY_TYPE_FACT", "content": f"{word} has a dog.", "importance": 9}
    memory_id = call("MemoryService.AddMemory", memory=memory)["memory"]["memory_id"]
    changed = {**user, "memory_id": memory_id, "content": f"{word} has two dogs."}
    gateway.call(
        "MemoryService.UpdateMemory", {"memory": changed, "update_mask": "content"}, tenant.api_key
    )
    assert call("MemoryService.DeleteMemory", memory_id=memory_id)["deleted"]
    extractions: list[Any] = []
    told: list[Any] = []
    while not extractions:
        told += next(stream).events
        extractions = [each.extraction for each in told if each.HasField("extraction")]
    call("ReflectService.Digest")
    # Calls of models are told a moment later than what they were for.
    for field in ("digest", "embedding_call"):
        while not any(each.HasField(field) for each in told):
            told += next(stream).events
    stream.cancel()
    (ended,) = extractions
    assert ended.session_id == said["message"]["session_id"]
    assert (ended.messages_processed, ended.failed) == (1, False)
    assert ended.facts_extracted + ended.episodes_extracted >= 1
    mine = [each.memory_changed for each in told if each.memory_changed.memory_id == memory_id]
    assert [(each.change, each.revision) for each in mine] == [
        (pb.MEMORY_CHANGE_ADDED, 1),
        (pb.MEMORY_CHANGE_UPDATED, 2),
        (pb.MEMORY_CHANGE_DELETED, 2),
    ]
    embedded = [each.embedding_call for each in told if each.HasField("embedding_call")]
    assert embedded
    assert all(each.success and each.text_count for each in embedded)
    assert {each.user_id for each in told} == {"alice"}
    assert word.lower() not in str(told).lower()  # no text of the user


def test_events_are_listed_over_rest(gateway: Gateway, tenant: Tenant) -> None:
    for number in range(3):
        memory = {"content": f"Thought number {number}."}
        gateway.call("MemoryService.AddMemory", {"user_id": "al", "memory": memory}, tenant.api_key)
    method = rpc("EventService.ListEvents")
    asked: dict[str, Any] = {"types": ["EVENT_TYPE_MEMORY_CHANGED"], "page_size": 2}
    of_all = gateway.rest(method, asked, tenant.api_key).json()
    of_one = gateway.rest(method, {**asked, "user_id": "al"}, tenant.api_key, binding=1).json()
    assert of_all == of_one
    assert (len(of_one["events"]), of_one["has_more"]) == (2, True)
    change = of_one["events"][0]["memory_changed"]
    assert (change["change"], change["revision"]) == ("MEMORY_CHANGE_ADDED", 1)
    asked["cursor"] = of_one["next_cursor"]
    rest = gateway.rest(method, asked, tenant.api_key).json()
    assert (len(rest["events"]), rest["has_more"]) == (1, False)
    asked["cursor"] = "bm90IG91cnM="
    refused = gateway.rest_failure(method, asked, tenant.api_key)
    assert refused is not None
    assert (refused.http_status, refused.reason, refused.fields) == (
        400, "FIELD_MALFORMED", ("cursor",),
    )  # fmt: skip


def test_a_watcher_hears_of_its_own_only(gateway: Gateway, tenant: Tenant) -> None:
    """A tenant of all its users, a user's key of that user, another tenant of nobody here."""
    stranger = gateway.new_tenant("a stranger")
    alices_key = gateway.new_user_key("alice", tenant)
    watchers = {
        name: Watcher(gateway.address, key, types="memory_changed", **asked)
        for name, key, asked in (
            ("tenant", tenant.api_key, {}),
            ("bob", tenant.api_key, {"user_id": "bob"}),
            ("alice's key", alices_key, {}),
            ("stranger", stranger.api_key, {}),
            ("stranger's alice", stranger.api_key, {"user_id": "alice"}),
        )
    }
    method = rpc("EventService.Watch")
    refused = gateway.failure(method, [method.request_of({"user_id": "bob"})], alices_key)
    assert refused is not None
    assert refused.reason == "USER_NOT_ALLOWED"
    refused = gateway.failure(method, [method.request()], gateway.admin_key)
    assert refused is not None
    assert refused.reason == "TENANT_KEY_REQUIRED"
    for user_id, key in (("alice", tenant), ("bob", tenant), ("carol", stranger)):
        memory = {"content": f"Something of {user_id}."}
        gateway.call("MemoryService.AddMemory", {"user_id": user_id, "memory": memory}, key.api_key)
    watchers["tenant"].told("memory_changed", 2)
    watchers["alice's key"].told("memory_changed")
    watchers["bob"].told("memory_changed")
    watchers["stranger"].told("memory_changed")
    heard = {name: [each.user_id for each in each.events] for name, each in watchers.items()}
    assert heard == {
        "tenant": ["alice", "bob"],
        "bob": ["bob"],
        "alice's key": ["alice"],
        "stranger": ["carol"],
        "stranger's alice": [],
    }


async def test_callbacks_of_the_asynchronous_client(gateway: Gateway, tenant: Tenant) -> None:
    extractions: list[dict[str, Any]] = []
    embeddings: list[dict[str, Any]] = []
    done, recalled = asyncio.Event(), asyncio.Event()

    def on_extraction(stats: dict[str, Any]) -> None:
        extractions.append(stats)
        done.set()
        raise RuntimeError("a callback that raises ends nothing")

    async def on_embedding_call(stats: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        embeddings.append(stats)
        recalled.set()

    async with AsyncMnema(
        gateway.address, api_key=tenant.api_key, on_extraction=on_extraction
    ) as nm:
        nm.on_embedding_call = on_embedding_call
        for content in ("I work at Google", "I live in Zurich"):
            done.clear()
            message = await nm.ingest(user_id="alice", role="user", content=content)
            await asyncio.wait_for(done.wait(), 90)
        await nm.wait_until_extracted("alice")
        recalled.clear()
        await nm.recall(user_id="alice", query=f"Where is {uuid4().hex}?")
        await asyncio.wait_for(recalled.wait(), 90)
    assert [set(each) for each in extractions] == [EXTRACTION_KEYS] * 2
    assert extractions[1]["user_id"] == "alice"
    assert extractions[1]["session_id"] == message.session_id
    assert extractions[1]["messages_processed"] == 1
    assert extractions[1]["facts_extracted"] >= 1
    assert extractions[1]["duration"] >= 0
    assert {frozenset(each) for each in embeddings} == {frozenset(EMBEDDING_KEYS)}
    assert all(each["success"] and each["text_count"] >= 1 for each in embeddings)


def test_callbacks_of_the_synchronous_client_with_a_language_model(llm_stack: LlmStack) -> None:
    calls: list[dict[str, Any]] = []
    extractions: list[dict[str, Any]] = []

    async def on_llm_call(stats: dict[str, Any]) -> None:
        calls.append(stats)

    address, key = llm_stack.gateway.address, llm_stack.gateway.tenant.api_key
    watcher = Watcher(address, key, types=["llm_call", "digest"])
    with Mnema(address, api_key=key, on_llm_call=on_llm_call) as nm:
        nm.on_extraction = extractions.append
        nm.ingest("alice", "user", "I am thrilled: I work at Google.")
        nm.wait_until_extracted("alice")
        until(lambda: len(calls), lambda count: count == 1)
        until(lambda: len(extractions), lambda count: count == 1)
        nm.digest("alice")
        until(lambda: len(calls), lambda count: count >= 2)
    assert {frozenset(each) for each in calls} == {frozenset(LLM_KEYS)}
    assert all(each["success"] and each["model"] == "test-model" for each in calls)
    assert extractions[0]["user_id"] == "alice"
    told = watcher.told("llm_call", 2)
    assert [each.data["purpose"] for each in told][:2] == ["extraction", "digest"]
    assert {each.user_id for each in told} == {"alice"}
    assert all(each.data["prompt_tokens"] and each.data["completion_tokens"] for each in told)
    (digest,) = watcher.told("digest")
    assert digest.data["memories_analyzed"] >= 1


def test_watchers_go_on_when_parts_are_killed(llm_stack: LlmStack) -> None:
    """Each memory is told once, whatever of the system dies meanwhile."""
    gateway, stack = llm_stack.gateway, llm_stack.stack
    key = gateway.tenant.api_key
    watcher = Watcher(gateway.address, key, user_id="nora", types="memory_changed")
    added: list[str] = []
    with Mnema(gateway.address, api_key=key, timeout=60, retries=50) as nm:

        def add() -> None:
            memory = nm.add_memory("nora", f"Thought {len(added)}.")
            added.append(str(memory.id))

        for part in ("ingest", "postgres", "envoy", "ingest"):
            add()
            watcher.told("memory_changed", len(added))
            stack.signal(part, signal.SIGKILL)
            add()
            until(lambda: stack.pid(part), lambda pid: pid is not None)  # noqa: B023
            add()
            watcher.told("memory_changed", len(added))
    told = [each.data["memory_id"] for each in watcher.told("memory_changed", len(added))]
    assert told == added
    assert len({each.cursor for each in watcher.events}) == len(added)


def test_a_cursor_outlives_its_reader(gateway: Gateway, tenant: Tenant) -> None:
    with Mnema(gateway.address, api_key=tenant.api_key) as nm:
        nm.add_memory("alice", "One.")
        (first,) = nm.events.list("alice", types="memory_changed")
        nm.add_memory("alice", "Two.")
        nm.add_memory("alice", "Three.")
    seen: list[Event] = []
    for _ in range(2):  # a reader that stops after one event, in the middle of a response
        with Mnema(gateway.address, api_key=tenant.api_key) as nm:
            cursor = seen[-1].cursor if seen else first.cursor
            for event in nm.events.watch("alice", types="memory_changed", cursor=cursor):
                seen.append(event)
                break
    assert [each.data["change"] for each in seen] == ["added", "added"]
    assert len({first.id, *(each.id for each in seen)}) == 3


def test_many_watchers_and_a_deadline(gateway: Gateway, tenant: Tenant) -> None:
    """Fifty at once each hear of everything; one with a deadline of its own ends with that."""
    watchers = [Watcher(gateway.address, tenant.api_key, types="memory_changed") for _ in range(50)]
    with Mnema(gateway.address, api_key=tenant.api_key) as nm:
        for number in range(4):
            nm.add_memory("alice", f"Thought {number}.")
    for watcher in watchers:
        assert len(watcher.told("memory_changed", 4)) == 4
    stub: Any = EventServiceStub(gateway.channel)
    stream = stub.Watch(pb.WatchRequest(), metadata=(("x-api-key", tenant.api_key),), timeout=0.5)
    with pytest.raises(grpc.RpcError) as caught:
        for _ in stream:
            pass
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
