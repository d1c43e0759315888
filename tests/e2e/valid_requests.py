"""For every public RPC a request that succeeds, to be sent as it is or with one thing wrong."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from tests.e2e.seeding import Seeds

Fields = Mapping[str, Any]
PERSON = "NODE_TYPE_PERSON"
# Calls that only an admin key may make.
ADMIN_ONLY = frozenset({"AccountService.CreateTenant", "AccountService.ListTenants"})


def valid_requests(seeds: Seeds) -> dict[str, Sequence[Fields]]:
    """By the RPC's short name; more than one message only where the client streams."""
    tables = (
        *(_accounts, _conversations, _memories, _analytics, _rankings, _graph),
        *(_key_values, _files, _events, _lifecycle),
    )
    return {
        name: fields if isinstance(fields, tuple) else (fields,)
        for table in tables
        for name, fields in table(seeds).items()
    }


def _accounts(seeds: Seeds) -> dict[str, Fields | tuple[Fields, ...]]:
    fresh = uuid4().hex[:12]
    return {
        "AccountService.CreateTenant": {"name": f"tenant {fresh}"},
        "AccountService.GetTenant": {"tenant_id": seeds.tenant.tenant_id},
        "AccountService.ListTenants": {"page_size": 2},
        "AccountService.CreateUser": {"user_id": f"user-{fresh}"},
        "AccountService.GetUser": {"user_id": seeds.user_id},
        "AccountService.ListUsers": {"page_size": 2},
        "AccountService.CreateApiKey": {"kind": "API_KEY_KIND_TENANT", "name": "another"},
        "AccountService.ListApiKeys": {"page_size": 50},
        "AccountService.RevokeApiKey": {"key_id": seeds.spare_key_id},
        "AccountService.GetSettings": {"user_id": seeds.user_id},
        "AccountService.UpdateSettings": {
            "user_id": seeds.user_id,
            "settings": {
                "reflection_interval": 30,
                "extraction": {"message_interval": 1, "idle_timeout": "90s"},
            },
            "update_mask": "reflectionInterval,extraction",
        },
    }


def _conversations(seeds: Seeds) -> dict[str, Fields | tuple[Fields, ...]]:
    user = {"user_id": seeds.user_id}
    message = {
        "role": "user",
        "content": "The train leaves at nine.",
        "speaker": "Ann",
        "said_at": "2026-05-03T10:00:00Z",
        "metadata": {"channel": "web"},
    }
    return {
        "IngestService.Ingest": {**user, **message},
        "IngestService.IngestBatch": {**user, "messages": [message, message]},
        "IngestService.IngestStream": ({**user, **message}, {**user, **message}),
        "IngestService.GetIngestStatus": user,
        "IngestService.ListExtractions": {**user, "session_id": seeds.session_id},
        "IngestService.RetryFailedExtractions": {**user, "extraction_ids": [seeds.extraction_id]},
        "IngestService.StartExtraction": {**user, "session_id": seeds.session_id},
        "ConversationService.CreateSession": {**user, "session_id": f"new-{uuid4().hex[:8]}"},
        "ConversationService.GetSession": {**user, "session_id": seeds.session_id},
        "ConversationService.ListSessions": {**user, "page_size": 50},
        "ConversationService.CloseSession": {**user, "session_id": seeds.spare_session_id},
        "ConversationService.GetMessage": {**user, "message_id": seeds.message_id},
        "ConversationService.ListMessages": {**user, "session_id": seeds.session_id},
    }


def _memories(seeds: Seeds) -> dict[str, Fields | tuple[Fields, ...]]:
    user = {"user_id": seeds.user_id}
    memory = {"memory_type": "MEMORY_TYPE_FACT", "content": "Trains leave from platform two."}
    spare = {**user, "memory_id": seeds.spare_memory_id}
    query = {**user, "query": "Who was happy about the hike in Lisbon?"}
    return {
        "MemoryService.AddMemory": {
            **user,
            "memory": {
                **memory,
                "importance": 3,
                "confidence": 0.5,
                "emotion": {"valence": -0.5, "arousal": 0.5, "label": "annoyed"},
                "event_at": "2026-05-03T10:00:00Z",
                "slot": "trains/platform",
                "tags": ["travel"],
                "metadata": {"seen": True},
            },
        },
        "MemoryService.GetMemory": {**user, "memory_id": seeds.memory_id},
        "MemoryService.ListMemories": {**user, "memory_types": ["MEMORY_TYPE_GENERAL"]},
        "MemoryService.UpdateMemory": {
            "memory": {**spare, "content": "A corrected thought."},
            "update_mask": "content",
        },
        "MemoryService.DeleteMemory": spare,
        "MemoryService.ListMemoryRevisions": {**user, "memory_id": seeds.memory_id},
        "MemoryService.RollbackMemories": {**user, "to_time": seeds.seeded_at},
        "MemoryService.UndoRollback": {**user, "rollback_id": seeds.rollback_id},
        "MemoryService.ListRollbacks": {**user, "page_size": 2},
        "MemoryService.ListTimeline": {**user, "kinds": ["TIMELINE_KIND_MEMORY"]},
        "RecallService.Recall": {
            **query,
            "include_conversations": True,
            "decay_rate": "86400s",
            "limit": 10,
            "explain": True,
            "max_context_tokens": 500,
        },
        "VectorService.Embed": {"texts": ["one text", "another text"]},
        "VectorService.Search": {
            **query,
            "kinds": ["ITEM_KIND_MEMORY", "ITEM_KIND_MESSAGE", "ITEM_KIND_CHUNK"],
        },
        "ReflectService.Digest": {**user, "batch_size": 20},
        "ReflectService.GetEmotionProfile": user,
        "ReflectService.GetDigest": {**user, "digest_id": seeds.digest_id},
        "ReflectService.ListDigests": {**user, "page_size": 10},
    }


def _analytics(seeds: Seeds) -> dict[str, Fields | tuple[Fields, ...]]:
    user = {"user_id": seeds.user_id}
    return {
        "AnalyticsService.GetStats": {**user, "weeks": 4},
        "AnalyticsService.ListColdMemories": {**user, "threshold_days": 0},
        "AnalyticsService.GetEntityProfile": {**user, "entity": seeds.marker, "limit": 5},
        "VectorService.ClearEmbeddingCache": {},
    }


def _rankings(seeds: Seeds) -> dict[str, Fields | tuple[Fields, ...]]:
    profile = {
        "name": f"p-{uuid4().hex[:8]}",
        "signals": {"bm25": {"short": 0.5, "long": 0.25}},
        "factors": {"recency": 0.5, "importance": 0.5, "graph_boost": 0.5},
        "description": "Words alone.",
        "fusion": "FUSION_SIGNALS",
    }
    return {
        "VectorService.ListRankingProfiles": {},
        "VectorService.GetRankingProfile": {"name": seeds.profile_name},
        "VectorService.PutRankingProfile": {"profile": profile},
        "VectorService.DeleteRankingProfile": {"name": seeds.spare_profile_name},
    }


def _graph(seeds: Seeds) -> dict[str, Fields | tuple[Fields, ...]]:
    user = {"user_id": seeds.user_id}
    emma = {"node_type": PERSON, "node_id": seeds.node_id}
    spare = {"node_type": PERSON, "node_id": seeds.spare_node_id}
    noah = {"node_type": PERSON, "node_id": seeds.other_node_id}
    triple = {
        "subject": {"node_type": PERSON, "name": "Olga"},
        "relation": "EDGE_TYPE_LIVES_IN",
        "object": {"node_type": "NODE_TYPE_LOCATION", "name": "Porto"},
        "content": "Olga called Porto her favourite.",
        "confidence": 0.9,
        "valid_from": "2026-05-03T10:00:00Z",
    }
    favourite = {**triple, "relation": "EDGE_TYPE_CUSTOM", "custom_type": "favourite city"}
    edge = {
        "source": emma,
        "edge_type": "EDGE_TYPE_MET",
        "target": spare,
        "weight": 0.5,
        "confidence": 0.5,
        "content": "They met in spring.",
        "properties": {"place": "Porto"},
        "valid_from": "2026-05-03T10:00:00Z",
        "valid_to": "2026-05-04T10:00:00Z",
    }
    return {
        "GraphService.CreateNode": {
            **user,
            "node": {
                "node_type": PERSON,
                "node_id": f"n_{uuid4().hex[:8]}",
                "name": "Olga",
                "properties": {"height": 170},
            },
        },
        "GraphService.GetNode": {**user, **emma},
        "GraphService.ListNodes": {**user, "node_type": PERSON},
        "GraphService.UpdateNode": {
            **user,
            "node": {**spare, "properties": {"height": 170}},
            "update_mask": "properties",
        },
        "GraphService.DeleteNode": {**user, **spare},
        "GraphService.CreateEdge": {**user, "edge": edge},
        "GraphService.GetEdge": {**user, "edge_id": seeds.edge_id},
        "GraphService.UpdateEdge": {
            **user,
            "edge": {"edge_id": seeds.spare_edge_id, "weight": 0.25},
            "update_mask": "weight",
        },
        "GraphService.DeleteEdge": {**user, "edge_id": seeds.spare_edge_id},
        "GraphService.ListNeighbors": {**user, **emma, "edge_types": ["EDGE_TYPE_KNOWS"]},
        "GraphService.FindPaths": {**user, "source": emma, "target": noah, "limit": 3},
        "GraphService.AddTriples": {**user, "triples": [triple, favourite]},
        "GraphService.FindFacts": {**user, "query": "Whom does Emma know?"},
    }


def _key_values(seeds: Seeds) -> dict[str, Fields | tuple[Fields, ...]]:
    space = {"user_id": seeds.user_id, "namespace": "preferences"}
    return {
        "KeyValueService.SetValue": {**space, "key": "tea", "value": {"sugar": False}},
        "KeyValueService.BatchSetValues": {**space, "values": {"milk": 1.5, "lemon": None}},
        "KeyValueService.GetValue": {**space, "key": "nickname"},
        "KeyValueService.ListValues": {**space, "prefix": "n"},
        "KeyValueService.DeleteValue": {**space, "key": "tea"},
    }


def _events(seeds: Seeds) -> dict[str, Fields | tuple[Fields, ...]]:
    types = ["EVENT_TYPE_EXTRACTION", "EVENT_TYPE_MEMORY_CHANGED"]
    asked = {"user_id": seeds.user_id, "types": types}
    return {
        "EventService.ListEvents": {**asked, "page_size": 1000},
        "EventService.Watch": {**asked, "cursor": seeds.cursor, "max_duration": "0.2s"},
    }


def _files(seeds: Seeds) -> dict[str, Fields | tuple[Fields, ...]]:
    user = {"user_id": seeds.user_id}
    file = {**user, "filename": "plan.md", "category": "plans", "tags": ["plan"]}
    data = base64.b64encode(b"# Plan\n\nFirst the tickets, then the hotel.\n").decode()
    return {
        "FileService.UploadFile": ({"file": file}, {"chunk": data}),
        "FileService.CreateFile": {**file, "file_data": data},
        "FileService.CreateFileFromText": {**user, "title": "A plan", "content": "Buy tickets."},
        "FileService.GetFile": {**user, "file_id": seeds.file_id},
        "FileService.ListFiles": {**user, "file_types": ["txt"]},
        "FileService.DownloadFile": {**user, "file_id": seeds.file_id},
        "FileService.GetDownloadUrl": {**user, "file_id": seeds.file_id, "expires_in": "600s"},
        "FileService.DownloadByLink": {"token": seeds.link_token},
        "FileService.DeleteFile": {**user, "file_id": seeds.spare_file_id},
        "FileService.SearchFiles": {**user, "query": "the holiday in Lisbon"},
    }


def _lifecycle(seeds: Seeds) -> dict[str, Fields | tuple[Fields, ...]]:
    user = {"user_id": seeds.user_id}
    memory = {
        "item_id": str(uuid4()),
        "memory_id": str(uuid4()),
        "revision": 1,
        "memory_type": "fact",
        "content": "Trains leave from platform two.",
    }
    return {
        "LifecycleService.DeleteUserData": {"user_id": seeds.spare_user_id},
        "LifecycleService.GetDeletion": {**user, "deletion_id": seeds.deletion_id},
        "LifecycleService.ExportUserData": user,
        "LifecycleService.ImportUserData": (
            {"target": {"user_id": f"imported-{uuid4().hex[:12]}"}},
            {"header": {"format": "mnema.export", "version": 1, "user_id": "somebody"}},
            {"record": {"kind": "memories", "json": json.dumps(memory)}},
            {"trailer": {"counts": {"memories": 1}}},
        ),
    }
