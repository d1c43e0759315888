"""Calls that many tests make, in a line each."""

from typing import Any

from tests.e2e.contract import rpc
from tests.e2e.failure import Failure
from tests.e2e.gateway import Gateway


def ingest(gateway: Gateway, user_id: str, content: str) -> None:
    fields = {"user_id": user_id, "session_id": "s", "role": "user", "content": content}
    gateway.call("IngestService.Ingest", fields)


def ingest_all(gateway: Gateway, user_id: str, contents: list[str]) -> None:
    """At once, so that they come to the extractor together."""
    messages = [{"role": "user", "content": each} for each in contents]
    fields = {"user_id": user_id, "session_id": "s", "messages": messages}
    gateway.call("IngestService.IngestBatch", fields)


def reflect_every(gateway: Gateway, user_id: str, messages: int) -> None:
    settings = {"reflection_interval": messages}
    fields = {"user_id": user_id, "settings": settings, "update_mask": "reflectionInterval"}
    gateway.call("AccountService.UpdateSettings", fields)


def the_extraction(gateway: Gateway, user_id: str) -> dict[str, Any]:
    """The user's only one; empty before there is one."""
    listed = gateway.call("IngestService.ListExtractions", {"user_id": user_id})
    extractions: list[dict[str, Any]] = listed.get("extractions", [])
    assert len(extractions) <= 1
    return extractions[0] if extractions else {}


def waiting(gateway: Gateway, user_id: str) -> dict[str, int]:
    """The counts of the user's status that are not zero."""
    status = gateway.call("IngestService.GetIngestStatus", {"user_id": user_id})
    return {name: int(count) for name, count in status.items() if int(count)}


def recall(gateway: Gateway, user_id: str, query: str) -> dict[str, Any]:
    return gateway.call("RecallService.Recall", {"user_id": user_id, "query": query})


def found_by_words(gateway: Gateway, user_id: str, word: str) -> list[str]:
    """The messages that a recall finds with this word."""
    fields = {"user_id": user_id, "query": word, "include_conversations": True}
    answer = gateway.call("RecallService.Recall", fields)
    found = answer.get("conversation_results", [])
    return [
        each["message"]["content"]
        for each in found
        if each["factors"]["relevance"].get("bm25_rank")
    ]


def memories(gateway: Gateway, user_id: str) -> list[dict[str, Any]]:
    listed = gateway.call("MemoryService.ListMemories", {"user_id": user_id})
    memories: list[dict[str, Any]] = listed.get("memories", [])
    return memories


def failure_of(gateway: Gateway, name: str, fields: dict[str, Any]) -> Failure:
    method = rpc(name)
    failure = gateway.failure(method, [method.request_of(fields)], gateway.tenant.api_key)
    assert failure is not None
    return failure
