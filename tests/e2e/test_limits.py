"""The largest sizes that are allowed pass, one more fails; and any user id is a user id."""

import base64
import threading
import time
from typing import Any

import pytest

from tests.e2e.contract import rest_call, rpc
from tests.e2e.failure import Failure, failure_of_answer
from tests.e2e.gateway import Gateway, Tenant
from tests.e2e.waiting import until

KIB = 1024
USER_IDS = [
    "slash/and\\backslash",
    "50% off",
    "%2F%00",
    "a b  c",
    "a+b&c=d?e#f;g:h@i,j",
    "emoji 🦉👩‍👩‍👧",
    "用户一二三",
    "ünïcödé",
    "quotes \"' `",
    "..",
    ".",
    "../../etc/passwd",
    "user:close",
    "{user_id}",
    "'; DROP TABLE messages; --",
    "x" * 256,
    "語" * 256,
]


def wrong(gateway: Gateway, name: str, fields: dict[str, Any]) -> Failure:
    """How it fails over gRPC and over REST, which must be the same."""
    method = rpc(name)
    failure = gateway.failure(method, [method.request_of(fields)], gateway.tenant.api_key)
    assert failure is not None
    again = gateway.rest_failure(method, fields, gateway.tenant.api_key)
    assert again is not None
    assert (again.code, again.reason, again.fields) == (
        failure.code,
        failure.reason,
        failure.fields,
    )
    assert failure.code == "INVALID_ARGUMENT"
    return failure


@pytest.mark.parametrize("letter", ["x", "é", "語", "🦉"])
def test_the_longest_message(gateway: Gateway, user_id: str, letter: str) -> None:
    message = {"user_id": user_id, "role": "user", "content": letter * 400_000}
    stored = gateway.call("IngestService.Ingest", message)["message"]
    assert stored["content"] == message["content"]
    read = {"user_id": user_id, "message_id": stored["message_id"]}
    extracted = until(
        lambda: gateway.call("ConversationService.GetMessage", read)["message"],
        lambda found: found["extraction_state"] == "EXTRACTION_STATE_DONE",
    )
    assert extracted == {**stored, "extraction_state": "EXTRACTION_STATE_DONE"}
    failure = wrong(gateway, "IngestService.Ingest", {**message, "content": letter * 400_001})
    assert (failure.reason, failure.fields) == ("FIELD_TOO_LONG", ("content",))


def test_the_largest_batch(gateway: Gateway, user_id: str) -> None:
    said = [{"role": "user", "content": f"Sentence number {number}."} for number in range(1000)]
    batch = {"user_id": user_id, "session_id": "long", "messages": said}
    receipts = gateway.call("IngestService.IngestBatch", batch)["receipts"]
    assert [int(each["sequence"]) for each in receipts] == list(range(1, 1001))
    listed = {"user_id": user_id, "session_id": "long", "page_size": 1000}
    messages = gateway.call("ConversationService.ListMessages", listed)["messages"]
    assert [each["content"] for each in messages] == [each["content"] for each in said]
    one_more = {**batch, "messages": [*said, said[0]]}
    failure = wrong(gateway, "IngestService.IngestBatch", one_more)
    assert (failure.reason, failure.fields) == ("TOO_MANY_ITEMS", ("messages",))


def test_the_longest_texts_hold_up_no_other_tenant(
    gateway: Gateway, tenant: Tenant, user_id: str
) -> None:
    said = [{"role": "user", "content": f"{number} " + "1" * 390_000} for number in range(35)]
    batch = {"user_id": user_id, "session_id": "s", "messages": said}
    stored = threading.Thread(target=gateway.call, args=("IngestService.IngestBatch", batch))
    stored.start()
    other = {"user_id": user_id, "role": "user", "content": "the dog " * 1_100}
    worst = 0.0
    while stored.is_alive():
        began = time.monotonic()
        gateway.call("IngestService.Ingest", other, tenant.api_key)
        worst = max(worst, time.monotonic() - began)
    # A tenth of a second is usual. Behind all of the batch it would be many.
    assert worst < 5


def test_the_largest_metadata(gateway: Gateway, user_id: str) -> None:
    message = {"user_id": user_id, "role": "user", "content": "Hello"}
    # 15 bytes of it are tags, lengths and the name.
    metadata = {"note": "x" * (16 * KIB - 15)}
    stored = gateway.call("IngestService.Ingest", {**message, "metadata": metadata})["message"]
    assert stored["metadata"] == metadata
    too_large = {**message, "metadata": {"note": "x" * (16 * KIB - 14)}}
    failure = wrong(gateway, "IngestService.Ingest", too_large)
    assert (failure.reason, failure.fields) == ("FIELD_TOO_LONG", ("metadata",))


def test_the_largest_value(gateway: Gateway, user_id: str) -> None:
    place = {"user_id": user_id, "namespace": "n" * 128, "key": "k" * 256}
    # A Value's own two fields: one byte of tag, three of length.
    value = "x" * (256 * KIB - 4)
    gateway.call("KeyValueService.SetValue", {**place, "value": value})
    assert gateway.call("KeyValueService.GetValue", place)["key_value"]["value"] == value
    failure = wrong(gateway, "KeyValueService.SetValue", {**place, "value": value + "x"})
    assert (failure.reason, failure.fields) == ("FIELD_TOO_LONG", ("value",))


def test_the_largest_file_of_one_message(gateway: Gateway, user_id: str) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(8 * KIB * KIB - 8)
    file = {"user_id": user_id, "filename": "large.png"}
    data = base64.b64encode(picture).decode()
    stored = gateway.rest(
        rpc("FileService.CreateFile"), {**file, "file_data": data}, gateway.tenant.api_key
    )
    assert stored.status_code == 200, stored.text
    read = {"user_id": user_id, "file_id": stored.json()["file"]["file_id"]}
    assert (
        gateway.rest(rpc("FileService.DownloadFile"), read, gateway.tenant.api_key).content
        == picture
    )
    one_more = base64.b64encode(picture + b"x").decode()
    failure = wrong(gateway, "FileService.CreateFile", {**file, "file_data": one_more})
    assert (failure.reason, failure.fields) == ("FIELD_TOO_LONG", ("file_data",))


def test_a_body_larger_than_the_gateway_takes(gateway: Gateway) -> None:
    headers = {"x-api-key": gateway.tenant.api_key, "content-type": "application/json"}
    body = b'{"content": "' + b"x" * (17 * KIB * KIB) + b'"}'
    answer = gateway.http.post("/v1/ingest", content=body, headers=headers)
    failure = failure_of_answer(answer)
    assert (failure.http_status, failure.code) == (413, "RESOURCE_EXHAUSTED")
    assert failure.reason == "REQUEST_TOO_LARGE"


def test_a_message_larger_than_a_service_takes(gateway: Gateway, user_id: str) -> None:
    method = rpc("IngestService.Ingest")
    request = method.request_of({"user_id": user_id, "role": "user", "content": "x" * 17_000_000})
    failure = gateway.failure(method, [request], gateway.tenant.api_key)
    assert failure is not None
    assert failure.code == "RESOURCE_EXHAUSTED"


@pytest.mark.feature("N19")
@pytest.mark.parametrize("user", USER_IDS, ids=range(len(USER_IDS)))
def test_any_user_id_works_everywhere(gateway: Gateway, user: str) -> None:
    """What REST stores in a path is what gRPC finds under the same id, and the other way round."""
    key = gateway.tenant.api_key
    over_rest = {"user_id": user, "namespace": "any/place", "key": user, "value": user}
    stored = gateway.rest(rpc("KeyValueService.SetValue"), over_rest, key)
    assert stored.status_code == 200, stored.text
    read = {"user_id": user, "namespace": "any/place", "key": user}
    assert gateway.call("KeyValueService.GetValue", read)["key_value"]["value"] == user

    # A body may say once more what the path says.
    path = rest_call(rpc("KeyValueService.SetValue").bindings[0], over_rest).path
    again = gateway.http.put(path, json=over_rest, headers={"x-api-key": key})
    assert again.status_code == 200, again.text

    memory = gateway.call(
        "MemoryService.AddMemory", {"user_id": user, "memory": {"content": "Likes tea."}}
    )["memory"]
    assert memory["user_id"] == user
    one = {"user_id": user, "memory_id": memory["memory_id"]}
    got = gateway.rest(rpc("MemoryService.GetMemory"), one, key)
    assert got.status_code == 200, got.text
    assert got.json()["memory"]["user_id"] == user
    hits = gateway.rest(rpc("VectorService.Search"), {"user_id": user, "query": "tea"}, key).json()
    assert [each["memory"]["memory_id"] for each in hits["hits"]] == [memory["memory_id"]]


@pytest.mark.parametrize("user", ["", " ", "a\nb", "a\0b", "a\x7fb", "a\x85b", "x" * 257])
def test_what_is_no_user_id(gateway: Gateway, user: str) -> None:
    method = rpc("MemoryService.ListMemories")
    failure = gateway.failure(method, [method.request_of({"user_id": user})], _key(gateway))
    assert failure is not None
    assert (failure.code, failure.fields) == ("INVALID_ARGUMENT", ("user_id",))
    if user:
        again = gateway.rest_failure(method, {"user_id": user}, _key(gateway))
        assert again is not None
        assert (again.reason, again.http_status) == (failure.reason, 400)


def _key(gateway: Gateway) -> str:
    return gateway.tenant.api_key
