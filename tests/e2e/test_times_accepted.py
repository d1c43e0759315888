"""The first and the last time of the contract work everywhere; what is beyond is refused."""

from typing import Any

import pytest

from tests.e2e.contract import rpc
from tests.e2e.gateway import Gateway
from tests.e2e.waiting import until

FIRST, LAST = "0002-01-01T00:00:00Z", "9998-12-31T23:59:59.999999Z"
UNSET = "0001-01-01T00:00:00Z"
BEYOND = (
    UNSET,
    "0001-12-31T23:59:59.999999Z",
    "9999-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
)
MOMENTS = ("created_after", "created_before", "event_after", "event_before", "as_of", "asked_at")


@pytest.mark.feature("N09")
@pytest.mark.parametrize("time", [FIRST, LAST])
def test_the_ends_are_stored_read_and_searched(gateway: Gateway, user_id: str, time: str) -> None:
    memory = {"content": "I drank tea.", "memory_type": "MEMORY_TYPE_EPISODIC", "event_at": time}
    added = gateway.call("MemoryService.AddMemory", {"user_id": user_id, "memory": memory})
    assert added["memory"]["event_at"] == time
    said = {"user_id": user_id, "session_id": "s", "role": "user", "content": "I have tea."}
    stored = gateway.call("IngestService.Ingest", {**said, "said_at": time})
    assert stored["message"]["said_at"] == time
    ends = [{"node_type": "NODE_TYPE_PERSON", "node_id": name} for name in ("ann", "bo")]
    edge = {"source": ends[0], "edge_type": "EDGE_TYPE_KNOWS", "target": ends[1]}
    about = {"user_id": user_id, "edge": {**edge, "valid_from": time, "valid_to": time}}
    assert gateway.call("GraphService.CreateEdge", about)["edge"]["valid_to"] == time
    gateway.call("GraphService.ListNeighbors", {"user_id": user_id, **ends[0]})
    gateway.call("MemoryService.ListTimeline", {"user_id": user_id, "start_time": time})
    for zone in ("UTC", "Pacific/Kiritimati", "Etc/GMT+12"):
        asked = {"user_id": user_id, "query": "tea last week, 3 May, next year", "time_zone": zone}
        for moment in MOMENTS:
            gateway.call("RecallService.Recall", {**asked, moment: time})
    found = gateway.call("RecallService.Recall", {"user_id": user_id, "query": "tea"})
    assert added["memory"]["memory_id"] in [each["id"] for each in found["merged"]]
    stats = {"user_id": user_id, "as_of": time, "weeks": 520}
    gateway.call("AnalyticsService.GetStats", stats)


@pytest.mark.parametrize("said_at", [FIRST, LAST])
def test_a_day_before_or_after_the_ends_costs_no_extraction(
    gateway: Gateway, user_id: str, said_at: str
) -> None:
    told = "I moved to Rome yesterday, and next year I move to Bern."
    messages = [
        {"role": "user", "content": "I live in Oslo."},
        {"role": "user", "content": told, "said_at": said_at},
        {"role": "user", "content": "我昨天搬到上海了，明年去北京。", "said_at": said_at},
    ]
    batch = {"user_id": user_id, "session_id": "s", "messages": messages}
    gateway.call("IngestService.IngestBatch", batch)
    (done,) = until(
        lambda: gateway.call("IngestService.ListExtractions", {"user_id": user_id})["extractions"],
        lambda found: bool(found) and found[0]["state"] == "EXTRACTION_STATE_DONE",
    )
    assert done["attempts"] == 1


@pytest.mark.parametrize("time", BEYOND)
def test_what_is_beyond_is_refused_with_what_is_taken(
    gateway: Gateway, user_id: str, time: str
) -> None:
    memory = {"content": "tea", "memory_type": "MEMORY_TYPE_FACT", "event_at": time}
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "MemoryService.AddMemory": ({"memory": memory}, "memory.event_at"),
        "RecallService.Recall": ({"query": "tea", "as_of": time}, "as_of"),
        "MemoryService.ListMemories": ({"created_after": time}, "created_after"),
    }
    for name, (fields, field) in cases.items():
        method = rpc(name)
        request = method.request_of({"user_id": user_id, **fields})
        failure = gateway.failure(method, [request], gateway.tenant.api_key)
        assert failure is not None
        assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "FIELD_OUT_OF_RANGE")
        assert failure.fields == (field,)
        assert "must be in the years 2 to 9998" in failure.message
        assert ("never set" in failure.message) == (time == UNSET)
