"""What Mnema is for, as one story that every transport has to tell the same way."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.e2e.waiting import until

# By the short name of the RPC; JSON in, JSON out, with the contract's names.
Call = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

MESSAGES = (
    "I work at Google as an engineer.",
    "My sister Emma lives in Berlin.",
    "I am happy that I moved to Lisbon last year.",
)
QUESTION = "Where do I work?"
IN_MEMORY = ("pending_messages", "running_extractions", "failed_extractions", "pending_embeddings")


def main_job(call: Call, user_id: str) -> None:
    """Three messages: found at once, extracted, recalled, digested."""
    user = {"user_id": user_id}
    said = [{"role": "user", "content": each} for each in MESSAGES]
    stored = call("IngestService.IngestBatch", {**user, "messages": said})
    assert [int(each["sequence"]) for each in stored["receipts"]] == [1, 2, 3]

    by_words = {**user, "query": "Emma Berlin", "include_conversations": True}
    found = call("RecallService.Recall", by_words)["conversation_results"]
    assert found[0]["message"]["content"] == MESSAGES[1]

    until(
        lambda: call("IngestService.GetIngestStatus", user),
        lambda status: not any(int(status.get(each, 0)) for each in IN_MEMORY),
    )
    recalled = call("RecallService.Recall", {**user, "query": QUESTION})
    best = recalled["vector_results"][0]
    assert "Google" in best["memory"]["content"]
    first = stored["receipts"][0]["message_id"]
    assert best["memory"]["source_message_ids"] == [first]
    assert any("Google" in each for each in recalled["graph_context"])
    assert not recalled.get("degraded")

    digest = call("ReflectService.Digest", user)
    assert int(digest["memories_analyzed"]) >= 3
    assert digest["emotion_profile"]["latest_state_valence"] > 0
