"""What a user's rows must look like when nothing was lost and nothing doubled."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.runtime.ids import OwnerId, TenantId, owner_of
from tests.e2e.gateway import Gateway, Tenant
from tests.e2e.own_stack import OwnStack
from tests.e2e.persistent_client import Persistent
from tests.e2e.waiting import until


def owner(tenant: Tenant, user_id: str) -> OwnerId:
    """The key of a user's rows."""
    return owner_of(TenantId(UUID(tenant.tenant_id)), user_id)


def settled(
    stack: OwnStack, gateway: Gateway, user_id: str, key: str | None = None, seconds: float = 120.0
) -> None:
    """Returns when everything of the user's is in memory, and no job is left in the queue."""
    asked, client = {"user_id": user_id}, Persistent(gateway)
    until(
        lambda: client.call("IngestService.GetIngestStatus", asked, key),
        lambda status: not any(map(int, status.values())),
        seconds=seconds,
    )
    query = "SELECT entrypoint, status::text, attempts, execute_after::text FROM pgqueuer"
    until(lambda: stack.rows(query), lambda jobs: not jobs, seconds=seconds)


def check_messages(stack: OwnStack, owner_id: OwnerId, expected: Sequence[tuple[Any, ...]]) -> None:
    """The user's messages are `expected`, each (session, sequence, message id, content), once.

    Their sequences have no gap, and each was extracted once.
    """
    rows = stack.rows(
        "SELECT session_id, sequence, message_id::text, content, extraction_state, extraction_id "
        "FROM messages WHERE owner_id = $1 ORDER BY session_id, sequence",
        owner_id,
    )
    found = [
        (row["session_id"], row["sequence"], row["message_id"], row["content"]) for row in rows
    ]
    lost, unasked = set(expected) - set(found), set(found) - set(expected)
    assert not lost, f"{len(lost)} acknowledged messages are lost, first {sorted(lost)[:3]}"
    assert not unasked, f"{len(unasked)} messages nobody has an answer of: {sorted(unasked)[:3]}"
    assert len(found) == len(expected)
    sequences: dict[str, list[int]] = {}
    for row in rows:
        sequences.setdefault(row["session_id"], []).append(row["sequence"])
    for session_id, numbers in sequences.items():
        assert numbers == list(range(1, len(numbers) + 1)), session_id
    assert Counter(row["extraction_state"] for row in rows) == {"done": len(rows)}
    check_extractions(stack, owner_id, Counter(row["extraction_id"] for row in rows))


def check_extractions(stack: OwnStack, owner_id: OwnerId, of: Counter[UUID]) -> None:
    """There is one extraction, done, for each id in `of`, over so many messages; no others."""
    rows = stack.rows(
        "SELECT extraction_id, state, messages FROM extractions WHERE owner_id = $1", owner_id
    )
    assert {row["state"] for row in rows} == {"done"}
    assert {row["extraction_id"]: row["messages"] for row in rows} == dict(of)


def check_index(stack: OwnStack, owner_id: OwnerId) -> None:
    """Every message and memory is findable by words and by meaning, once."""
    table = stack.value("SELECT table_name FROM embedding_spaces WHERE active")
    counted = stack.rows(
        "SELECT (SELECT count(*) FROM messages WHERE owner_id = $1) AS messages, "
        "(SELECT count(*) FROM memories WHERE owner_id = $1) AS memories, "
        "(SELECT count(*) FROM search_items WHERE owner_id = $1) AS items, "
        "(SELECT count(*) FROM unembedded WHERE owner_id = $1) AS unembedded, "
        f"(SELECT count(*) FROM {table} WHERE owner_id = $1) AS vectors",
        owner_id,
    )[0]
    things = counted["messages"] + counted["memories"]
    assert counted["items"] == counted["vectors"] == things, counted
    assert counted["unembedded"] == 0, counted


def answered_requests(stack: OwnStack, owner_id: OwnerId) -> int:
    """How many of the user's calls are on record by their request ids, all with their answers."""
    kept = stack.rows(
        "SELECT count(*) AS kept, count(response) AS answered FROM write_requests "
        "WHERE owner_id = $1",
        owner_id,
    )[0]
    assert kept["kept"] == kept["answered"]
    return int(kept["kept"])


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was made of messages, without what differs from run to run: ids and times."""

    memories: Counter[tuple[Any, ...]]
    edges: Counter[tuple[Any, ...]]
    profile: dict[str, Any]


def remembered(stack: OwnStack, owner_id: OwnerId) -> Remembered:
    """All revisions of memories and edges, and the profile."""
    memories = stack.rows(
        "SELECT memory_type, content, slot, revision, retracted_reason, "
        "cardinality(source_message_ids) AS sources FROM memories WHERE owner_id = $1",
        owner_id,
    )
    edges = stack.rows(
        "SELECT source_type, source_id, edge_type, custom_type, target_type, target_id, revision, "
        "closed_reason, cardinality(source_message_ids) AS sources "
        "FROM graph_edges WHERE owner_id = $1",
        owner_id,
    )
    profile = stack.rows(
        "SELECT key, value::text AS value FROM key_values "
        "WHERE owner_id = $1 AND namespace = 'profile' AND retracted_at IS NULL",
        owner_id,
    )
    return Remembered(
        Counter(tuple(row.values()) for row in memories),
        Counter(tuple(row.values()) for row in edges),
        {row["key"]: _unordered(json.loads(row["value"])) for row in profile},
    )


def _unordered(value: Any) -> Any:
    """A list's order is that in which sessions were extracted, which nobody promises."""
    return sorted(value) if isinstance(value, list) else value


def say_again(stack: OwnStack, gateway: Gateway, owner_id: OwnerId, user_id: str, key: str) -> None:
    """Ingests the messages of `owner_id` as they stand, for `user_id` of the key's tenant."""
    rows = stack.rows(
        "SELECT session_id, content, role, said_at FROM messages "
        "WHERE owner_id = $1 ORDER BY session_id, sequence",
        owner_id,
    )
    for start in range(0, len(rows), 200):
        messages = [
            {**row, "said_at": row["said_at"].isoformat()} for row in rows[start : start + 200]
        ]
        fields = {"user_id": user_id, "messages": messages}
        gateway.call("IngestService.IngestBatch", fields, key)
