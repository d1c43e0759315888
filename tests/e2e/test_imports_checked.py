"""What an import takes in can be read and written ever after; what could not is refused."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from mnema.client import InvalidArgument, Mnema, NotFound
from tests.e2e.contract import rpc
from tests.e2e.failure import Failure
from tests.e2e.gateway import Gateway

pytestmark = pytest.mark.feature("N16")

LONG_AGO = "2026-01-01T00:00:00+00:00"
SESSION = "11111111-1111-4111-8111-111111111111"
# Random, so that no compression makes it fit into an index.
NOISE = "".join(map(chr, random.Random(1).choices(range(0x4E00, 0x9FFF), k=256)))
Records = list[tuple[str, str]]


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[Mnema]:
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        yield nm


def one(kind: str, **fields: Any) -> Records:
    return [(kind, json.dumps(fields))]


def value(text: str = "1", **fields: Any) -> Records:
    """A key-value; its value as it stands in the record."""
    rest = json.dumps({"namespace": "n", "key": "k", **fields})[1:-1]
    return [("key_values", f'{{{rest}, "value": {text}}}')]


def memory(**fields: Any) -> Records:
    own = {"item_id": str(uuid4()), "memory_id": str(uuid4()), "memory_type": "fact"}
    return one("memories", **{**own, "content": "Ada has tea.", **fields})


def session(message_count: int = 1, number: int = 1, **message: Any) -> Records:
    """A session with a message."""
    own = {
        "message_id": str(uuid4()),
        "session_id": SESSION,
        "sequence": 1,
        "role": "user",
        "content": "hello",
        "said_at": LONG_AGO,
        "extraction_state": "done",
    }
    held = {"session_id": SESSION, "number": number, "message_count": message_count}
    return [
        *one("sessions", **held, last_message_at=LONG_AGO),
        *one("messages", **{**own, **message}),
    ]


def node(**fields: Any) -> Records:
    own = {"node_type": "PERSON", "node_id": "ada", "name": "Ada", "name_id": "ada"}
    return one("graph_nodes", **{**own, **fields})


def document(**fields: Any) -> Records:
    own = {
        "file_id": str(uuid4()),
        "number": 1,
        "filename": "a.txt",
        "file_type": "txt",
        "mime_type": "text/plain",
        "size_bytes": 3,
        "sha256": "\\xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "source_type": "text",
        "source_text": "abc",
    }
    return one("documents", **{**own, **fields})


def profile(**fields: Any) -> Records:
    own: dict[str, Any] = {"revision": 1, "latest_state": "calm", "latest_state_period": "2026-W01"}
    numbers = ("latest_state_valence", "latest_state_arousal", "valence_sum", "arousal_sum")
    times = ("latest_state_updated_at", "last_reflected_at")
    own |= dict.fromkeys(numbers, 0.5) | dict.fromkeys(times, LONG_AGO) | {"source_count": 1}
    return one("emotion_profiles", **{**own, **fields})


def ahead(**by: int) -> str:
    return (datetime.now(UTC) + timedelta(**by)).isoformat()


GOOD = {
    "a value": value(),
    "a deep value": value("[" * 15 + "1e300" + "]" * 15),
    "a memory": memory(
        event_at="9998-12-31T23:59:59.999999+00:00", tags=["a"], metadata={"a": [1]}
    ),
    "a session": session(),
    "a session that counts less than it holds": session(message_count=0),
    "a session that counts to the last place": session(message_count=2**22 - 1),
    "a node": node(),
    "a document": document(),
    "a profile": profile(label_counts={"joy": 3}),
    "settings": one("users", settings={"reflection_interval": 5, "of a newer version": [1]}),
}
BAD = {
    "no finite number": value("1e400"),
    "no fields": one("key_values"),
    "a key longer than keys": value(key="k" * 257),
    "a key longer than an index takes": value(namespace=NOISE[:128], key=NOISE * 4),
    "an integer of 4,000 digits": value("9" * 4000),
    "nested 17 deep": value("[" * 17 + "]" * 17),
    "nested 400 deep": value("[" * 400 + "]" * 400),
    "nested 900 deep": value('{"a":' * 900 + "1" + "}" * 900),
    "half a character": value('"\\ud800"'),
    "NUL in a name": value('{"a\\u0000": 1}'),
    "a value of 300 KiB": value(json.dumps("x" * 300 * 1024)),
    "many small values": value(json.dumps([1] * 200_000)),
    "the year -infinity": value(recorded_at="-infinity"),
    "recorded in the year 20000": value(recorded_at="20000-01-01T00:00:00+00:00"),
    "recorded hours ahead": memory(recorded_at=ahead(hours=3)),
    "taken back tomorrow": memory(retracted_at=ahead(days=1)),
    "true in the year 20000": memory(event_at="20000-01-01T00:00:00+00:00"),
    "true before Christ": memory(event_at="0044-03-15T00:00:00+00:00 BC"),
    "true on the first day": memory(event_at="0001-01-01T12:00:00+00:00"),
    "true on the last day": memory(event_at="9999-12-31T12:00:00+00:00"),
    "true at infinity": memory(event_at="infinity"),
    "true in no zone": memory(event_at="2026-01-01T00:00:00"),
    "metadata that is a list": memory(metadata=[1]),
    "metadata that is null": memory(metadata=None),
    "metadata of 17 KiB": memory(metadata={"a": "x" * 17 * 1024}),
    "tags with null": memory(tags=[None]),
    "tags in tags": memory(tags=[["a"], ["b"]]),
    "65 tags": memory(tags=["a"] * 65),
    "a confidence that is no number": memory(confidence="NaN"),
    "an importance with a fraction": memory(importance=1.5),
    "the last revision": memory(revision=2**31 - 1),
    "no UUID": memory(source_message_ids=["a"]),
    "a blank memory": memory(content=" \n"),
    "a memory of a million characters": memory(content="x" * 1_000_000),
    "a message of two million characters": session(content="x" * 2_000_000),
    "a sequence that no place can hold": session(sequence=2**40),
    "a sequence without a message before": session(sequence=-1),
    "the last sequence": session(sequence=2**22 - 1),
    "the last session": session(number=2**28 - 1),
    "settings that are a list": one("users", settings=[1]),
    "a setting of another type": one("users", settings={"reflection_interval": "x"}),
    "a setting out of range": one("users", settings={"idle_timeout_seconds": -1}),
    "no such kind of node": node(node_type="BOSS"),
    "properties that are a list": node(properties=[]),
    "a text that is another": document(source_text="xyz"),
    "no text": document(source_text=None),
    "a text of another size": document(size_bytes=4),
    "a count that is none": profile(label_counts={"joy": "often"}),
    "counts that are a list": profile(trigger_counts=["joy"]),
    "a sum that is none": profile(valence_sum="Infinity"),
}


def imported(gateway: Gateway, user_id: str, records: Sequence[tuple[str, str]]) -> Failure | None:
    method = rpc("LifecycleService.ImportUserData")
    parts: list[dict[str, Any]] = [
        {"target": {"user_id": user_id}},
        {"header": {"format": "mnema.export", "version": 1}},
        *({"record": {"kind": kind, "json": text}} for kind, text in records),
        {"trailer": {"counts": Counter(kind for kind, _ in records)}},
    ]
    requests = [method.request_of(part) for part in parts]
    return gateway.failure(method, requests, gateway.tenant.api_key)


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_is_refused(gateway: Gateway, client: Mnema, user_id: str, case: str) -> None:
    records = BAD[case]
    failure = imported(gateway, user_id, records)
    assert failure is not None
    assert failure.code == "INVALID_ARGUMENT"
    numbered = [f"record {number} ({kind}): " for number, (kind, _) in enumerate(records, 1)]
    said = any(each in failure.message for each in numbered)
    assert said or failure.fields == ("record.json",), failure.message
    with pytest.raises(NotFound):
        client.export_user_data(user_id)


@pytest.mark.parametrize("case", GOOD)
def test_what_is_taken_in_can_be_read_and_written(
    gateway: Gateway, client: Mnema, user_id: str, case: str
) -> None:
    assert imported(gateway, user_id, GOOD[case]) is None
    calls: dict[str, dict[str, Any]] = {
        "KeyValueService.ListValues": {"namespace": "n"},
        "MemoryService.ListMemories": {},
        "AccountService.GetSettings": {},
        "RecallService.Recall": {"query": "tea", "include_conversations": True},
        "IngestService.Ingest": {"session_id": SESSION, "role": "user", "content": "hi"},
        "ConversationService.CreateSession": {"session_id": "new"},
        "ReflectService.Digest": {},
        "ReflectService.GetEmotionProfile": {},
        "FileService.ListFiles": {},
        "MemoryService.RollbackMemories": {"to_time": "2026-01-01T00:00:00Z"},
    }
    for name, fields in calls.items():
        gateway.call(name, {"user_id": user_id, **fields})
    assert client.export_user_data(user_id)


def test_the_largest_that_calls_take_are_exported_and_imported(
    gateway: Gateway, client: Mnema, user_id: str
) -> None:
    largest = {
        "memory_type": "MEMORY_TYPE_FACT",
        "content": "語" * 16_384,
        "metadata": {"numbers": [1] * 1_400, "text": '"' * 100},
        "tags": ["t" * 64] * 64,
        "category": "c" * 128,
        "emotion": {"valence": -1, "arousal": 1, "label": "l" * 64},
        "event_at": "9998-12-31T23:59:59.999999Z",
    }
    gateway.call("MemoryService.AddMemory", {"user_id": user_id, "memory": largest})
    deep: Any = "end"
    for _ in range(15):
        deep = [deep]
    for key, given in {"k" * 256: deep, "long": "x" * 262_000, "huge": 1.5e308}.items():
        client.kv.set(user_id, "n" * 128, key, given)
    client.ingest(
        user_id=user_id,
        role="tool",
        content="x" * 400_000,
        session_id="s" * 256,
        speaker="p" * 256,
        said_at=datetime(2, 1, 1, tzinfo=UTC),
    )
    client.wait_until_extracted(user_id)
    lines = list(client.iter_export(user_id))
    client.delete_user_data(user_id)
    client.import_from(user_id, lines)
    assert list(client.iter_export(user_id))[1:] == lines[1:]


def test_times_ahead_of_the_clock_are_waited_for(
    gateway: Gateway, client: Mnema, user_id: str
) -> None:
    moment = ahead(seconds=3)
    records = memory(recorded_at=moment, first_recorded_at=moment)
    assert imported(gateway, user_id, records) is None
    assert datetime.now(UTC) > datetime.fromisoformat(moment)
    then = datetime.fromisoformat(LONG_AGO)
    client.rollback_memories(user_id, then)
    assert client.memories.list(user_id) == []


def test_a_refusal_says_what_to_do(client: Mnema, user_id: str) -> None:
    client.add_memory(user_id, "Ada has tea.")
    lines = list(client.iter_export(user_id))
    lines[2]["record"]["recorded_at"] = ahead(minutes=10)
    with pytest.raises(InvalidArgument, match="ahead of the clock here: import it later"):
        client.import_from(f"{user_id}-other", lines)
