"""One of everything for one user, through the gateway; and the words nobody else may see."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.e2e.gateway import Gateway, Tenant
from tests.e2e.waiting import until


@dataclass(frozen=True, slots=True)
class Seeds:
    """What a user has. `spare` things are there to be changed or taken away.

    `marker` is a word that stands in the texts, properties and values of all of it. `cursor` is
    the place before all that happened.
    """

    tenant: Tenant
    user_id: str
    marker: str
    session_id: str
    spare_session_id: str
    message_id: str
    extraction_id: str
    memory_id: str
    spare_memory_id: str
    node_id: str
    other_node_id: str
    spare_node_id: str
    edge_id: str
    spare_edge_id: str
    file_id: str
    spare_file_id: str
    link_token: str
    key_id: str
    spare_key_id: str
    profile_name: str
    spare_profile_name: str
    digest_id: str
    insight_ids: tuple[str, ...]
    cursor: str
    rollback_id: str
    seeded_at: str
    deletion_id: str
    spare_user_id: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must not reach anybody else; user and session ids are the caller's own."""
        ids = (
            self.message_id,
            self.extraction_id,
            self.memory_id,
            self.spare_memory_id,
            self.edge_id,
            self.spare_edge_id,
            self.file_id,
            self.spare_file_id,
            self.key_id,
            self.spare_key_id,
            self.profile_name,
            self.spare_profile_name,
            self.digest_id,
            self.rollback_id,
            self.deletion_id,
            *self.insight_ids,
        )
        return (self.marker, *ids)


class _Seeding:
    def __init__(self, gateway: Gateway, tenant: Tenant, user_id: str) -> None:
        self.gateway, self.tenant, self.user_id = gateway, tenant, user_id
        self.marker = f"Quillfeather{uuid4().hex[:8]}"

    def call(self, name: str, **fields: Any) -> Mapping[str, Any]:
        return self.gateway.call(name, {"user_id": self.user_id, **fields}, key=self.tenant.api_key)

    def session(self, name: str) -> str:
        made = self.call(
            "ConversationService.CreateSession",
            session_id=f"{name}-{uuid4().hex[:8]}",
            metadata={"topic": self.marker},
        )
        return str(made["session"]["session_id"])

    def message(self, session_id: str) -> str:
        said = (
            f"My name is Alice. I live in Lisbon and I work at {self.marker}.",
            f"My sister Emma loves hiking; we call our dog {self.marker}.",
        )
        messages = [{"role": "user", "content": each} for each in said]
        stored = self.call("IngestService.IngestBatch", session_id=session_id, messages=messages)
        return str(stored["receipts"][0]["message_id"])

    def extraction(self) -> str:
        """The finished one of the messages."""
        until(
            lambda: self.call("IngestService.GetIngestStatus"),
            lambda status: not any(int(count) for count in status.values()),
        )
        listed = self.call("IngestService.ListExtractions")["extractions"]
        return str(listed[-1]["extraction_id"])

    def memory(self, content: str) -> str:
        memory = {
            "content": f"{content} {self.marker}",
            "importance": 8,
            "emotion": {"valence": 0.8, "arousal": 0.7, "label": "happy"},
            "event_at": "2026-05-03T10:00:00Z",
            "metadata": {"note": self.marker},
        }
        return str(self.call("MemoryService.AddMemory", memory=memory)["memory"]["memory_id"])

    def node(self, name: str) -> str:
        node = {
            "node_type": "NODE_TYPE_PERSON",
            "node_id": f"{name.lower()}_{self.marker[-8:]}",
            "name": name,
            "properties": {"note": self.marker},
        }
        return str(self.call("GraphService.CreateNode", node=node)["node"]["node_id"])

    def edge(self, source: str, target: str) -> str:
        edge = {
            "source": {"node_type": "NODE_TYPE_PERSON", "node_id": source},
            "edge_type": "EDGE_TYPE_KNOWS",
            "target": {"node_type": "NODE_TYPE_PERSON", "node_id": target},
            "content": f"Emma knows {self.marker}.",
        }
        return str(self.call("GraphService.CreateEdge", edge=edge)["edge"]["edge_id"])

    def file(self, filename: str) -> str:
        text = f"The notes about the holiday in Lisbon name {self.marker}.".encode()
        made = self.call(
            "FileService.CreateFile",
            filename=filename,
            file_data=base64.b64encode(text).decode(),
            tags=[self.marker],
        )
        return str(made["file"]["file_id"])

    def link(self, file_id: str) -> str:
        """The token of a link to a file."""
        url = self.call("FileService.GetDownloadUrl", file_id=file_id)["url"]
        return str(url.partition("?token=")[2])

    def values(self) -> None:
        for namespace in ("profile", "preferences"):
            self.call(
                "KeyValueService.SetValue",
                namespace=namespace,
                key="nickname",
                value={"called": self.marker},
            )

    def rollback(self) -> Mapping[str, Any]:
        """One to this moment, which changes nothing."""
        now = datetime.now(UTC).isoformat()
        made: Mapping[str, Any] = self.call("MemoryService.RollbackMemories", to_time=now)
        return made["rollback"]  # type: ignore[no-any-return]

    def key(self) -> str:
        wanted = {
            "kind": "API_KEY_KIND_USER",
            "user_id": self.user_id,
            "name": f"of {self.marker}",
        }
        made = self.gateway.call("AccountService.CreateApiKey", wanted, self.tenant.api_key)
        return str(made["api_key"]["key_id"])

    def profile(self) -> str:
        """A ranking profile; they are the tenant's, so each has a name of its own."""
        profile = {
            "name": f"p-{uuid4().hex}",
            "signals": {"bm25": {"short": 1, "long": 1}},
            "description": self.marker,
        }
        stored = self.gateway.call(
            "VectorService.PutRankingProfile", {"profile": profile}, self.tenant.api_key
        )
        return str(stored["profile"]["name"])


def seed(gateway: Gateway, tenant: Tenant, user_id: str) -> Seeds:
    """Takes about two seconds: the extraction and a digest are waited for."""
    by = _Seeding(gateway, tenant, user_id)
    # Of nothing yet, so that there is a receipt.
    deletion = by.call("LifecycleService.DeleteUserData")["deletion"]
    by.call("AccountService.CreateUser")
    cursor = by.call("EventService.ListEvents")["next_cursor"]
    session_id, spare_session_id = by.session("holiday"), by.session("spare")
    message_id = by.message(session_id)
    by.values()
    memory_id = by.memory("Emma was happy about the hike with")
    spare_memory_id = by.memory("A spare thought on")
    emma, noah, spare = by.node("Emma"), by.node("Noah"), by.node("Spare")
    edge_id, spare_edge_id = by.edge(emma, noah), by.edge(noah, emma)
    extraction_id = by.extraction()
    digest = by.call("ReflectService.Digest")
    rollback = by.rollback()
    file_id = by.file("notes.txt")
    return Seeds(
        tenant=tenant,
        user_id=user_id,
        marker=by.marker,
        session_id=session_id,
        spare_session_id=spare_session_id,
        message_id=message_id,
        extraction_id=extraction_id,
        memory_id=memory_id,
        spare_memory_id=spare_memory_id,
        node_id=emma,
        other_node_id=noah,
        spare_node_id=spare,
        edge_id=edge_id,
        spare_edge_id=spare_edge_id,
        file_id=file_id,
        link_token=by.link(file_id),
        spare_file_id=by.file("spare.txt"),
        key_id=by.key(),
        spare_key_id=by.key(),
        profile_name=by.profile(),
        spare_profile_name=by.profile(),
        digest_id=str(digest["digest_id"]),
        insight_ids=tuple(each["memory_id"] for each in digest["insights"]),
        cursor=str(cursor),
        rollback_id=rollback["rollback_id"],
        seeded_at=rollback["created_at"],
        deletion_id=str(deletion["deletion_id"]),
        spare_user_id=f"{user_id}-spare",
    )
