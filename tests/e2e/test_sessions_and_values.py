"""Sessions, messages and key-values."""

from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.contract import rpc
from tests.e2e.gateway import Gateway
from tests.e2e.waiting import until


@pytest.mark.feature("N02")
@pytest.mark.feature("X03")
def test_a_repeated_message_is_stored_once(gateway: Gateway, user_id: str) -> None:
    request = {
        "user_id": user_id,
        "role": "user",
        "content": "Once and only once",
        "speaker": "Nora",
        "metadata": {"source": {"app": "test", "tags": [1, None, True]}},
        "said_at": "2024-02-29T12:00:00.250Z",
        "request_id": str(uuid4()),
    }
    first = gateway.call("IngestService.Ingest", request)["message"]
    assert gateway.call("IngestService.Ingest", request)["message"] == first
    assert first["said_at"] == "2024-02-29T12:00:00.250Z"
    assert first["metadata"] == request["metadata"]
    assert first["speaker"] == "Nora"
    assert first["sequence"] == "1"
    other = {**request, "content": "Something else"}
    failure = gateway.rest_failure(rpc("IngestService.Ingest"), other, gateway.tenant.api_key)
    assert failure is not None
    assert (failure.http_status, failure.reason) == (409, "REQUEST_ID_REUSED")
    listed = gateway.call("ConversationService.ListMessages", {"user_id": user_id})["messages"]
    assert [each["message_id"] for each in listed] == [first["message_id"]]


@pytest.mark.feature("N13")
def test_sessions_batches_pages_and_closing(gateway: Gateway, user_id: str) -> None:
    messages = [{"role": "user", "content": f"Line {number}"} for number in range(7)]
    messages[5]["session_id"] = "aside"
    batch = {"user_id": user_id, "session_id": "main", "messages": messages}
    receipts = gateway.call("IngestService.IngestBatch", batch)["receipts"]
    assert [(each["session_id"], each["sequence"]) for each in receipts] == [
        *(("main", str(number)) for number in range(1, 6)),
        ("aside", "1"),
        ("main", "6"),
    ]
    seen: list[str] = []
    token = ""
    while True:
        page = gateway.call(
            "ConversationService.ListMessages",
            {"user_id": user_id, "session_id": "main", "page_size": 4, "page_token": token},
        )
        seen += [each["content"] for each in page["messages"]]
        token = page["next_page_token"]
        if not token:
            break
    assert seen == ["Line 0", "Line 1", "Line 2", "Line 3", "Line 4", "Line 6"]
    named = {"user_id": user_id, "session_id": "main"}
    closed = gateway.call("ConversationService.CloseSession", named)["session"]
    assert closed["message_count"] == "6"
    assert gateway.call("ConversationService.CloseSession", named)["session"] == closed
    late = {**named, "role": "user", "content": "Too late"}
    failure = gateway.rest_failure(rpc("IngestService.Ingest"), late, gateway.tenant.api_key)
    assert failure is not None
    assert (failure.code, failure.reason) == ("FAILED_PRECONDITION", "SESSION_CLOSED")
    until(
        lambda: gateway.call(
            "ConversationService.ListMessages",
            {"user_id": user_id, "extraction_state": "EXTRACTION_STATE_DONE"},
        )["messages"],
        lambda done: len(done) == 7,
    )
    sessions = gateway.call("ConversationService.ListSessions", {"user_id": user_id})["sessions"]
    assert {(each["session_id"], each["message_count"]) for each in sessions} == {
        ("main", "6"),
        ("aside", "1"),
    }
    made = {"user_id": user_id, "session_id": "main"}
    failure = gateway.rest_failure(
        rpc("ConversationService.CreateSession"), made, gateway.tenant.api_key
    )
    assert failure is not None
    assert failure.reason == "RESOURCE_EXISTS"


@pytest.mark.feature("N12")
def test_key_values_hold_any_json_and_remember_their_past(gateway: Gateway, user_id: str) -> None:
    values: dict[str, Any] = {
        "text": "ü",
        "number": 1.5,
        "whole": 3,
        "yes": True,
        "nothing": None,
        "list": [1, "a", None, [2]],
        "object": {"nested": {"deep": []}},
        "a/b %": "odd key",
    }
    space = {"user_id": user_id, "namespace": "prefs"}
    stored = gateway.call("KeyValueService.BatchSetValues", {**space, "values": values})
    assert stored["stored"] == len(values)
    listed = gateway.call("KeyValueService.ListValues", space)["key_values"]
    assert {each["key"]: each["value"] for each in listed} == values
    assert [each["key"] for each in listed] == sorted(values)
    by_prefix = gateway.call("KeyValueService.ListValues", {**space, "prefix": "n"})["key_values"]
    assert [each["key"] for each in by_prefix] == ["nothing", "number"]

    key = {**space, "key": "text"}
    before = gateway.call("KeyValueService.GetValue", key)["key_value"]["updated_at"]
    gateway.call("KeyValueService.SetValue", {**key, "value": "changed"})
    assert gateway.call("KeyValueService.GetValue", key)["key_value"]["value"] == "changed"
    past = gateway.call("KeyValueService.GetValue", {**key, "as_of": before})["key_value"]
    assert past["value"] == "ü"
    assert gateway.call("KeyValueService.DeleteValue", key)["deleted"] is True
    assert gateway.call("KeyValueService.DeleteValue", key)["deleted"] is False
    failure = gateway.rest_failure(rpc("KeyValueService.GetValue"), key, gateway.tenant.api_key)
    assert failure is not None
    assert (failure.http_status, failure.reason) == (404, "RESOURCE_NOT_FOUND")
    still = gateway.call("KeyValueService.GetValue", {**key, "as_of": before})["key_value"]
    assert still["value"] == "ü"
    odd = {**space, "key": "a/b %"}
    over_rest = gateway.rest(rpc("KeyValueService.GetValue"), odd, gateway.tenant.api_key)
    assert over_rest.json()["key_value"]["value"] == "odd key"
