"""Counts, cold memories and entity profiles, as dicts."""

from typing import Literal

from mnema.client._convert.json_values import dict_of
from mnema.client._convert.memories import memory_metadata
from mnema.client._convert.names import MEMORY_TYPES
from mnema.client._convert.recall import emotion_profile, graph_result
from mnema.client._convert.times import moment_of, optional_moment
from mnema.client.analytics import (
    ColdMemory,
    EmbeddingCacheStats,
    EntityEvent,
    EntityFact,
    EntityMessage,
    EntityProfile,
    PendingWork,
    ProfileSummary,
    Stats,
)
from mnema.v1 import analytics_service_pb2 as pb
from mnema.v1 import types_pb2, vector_service_pb2

_TYPES: dict[int, Literal["memory", "conversation", "graph"]] = {
    pb.ENTITY_EVENT_KIND_MEMORY: "memory",
    pb.ENTITY_EVENT_KIND_CONVERSATION: "conversation",
    pb.ENTITY_EVENT_KIND_GRAPH: "graph",
}


def stats_of(response: pb.GetStatsResponse) -> Stats:
    """The answer to GetStats."""
    pending = response.pending
    by_type = sorted(response.by_type.items(), key=lambda each: (-each[1], each[0]))
    return Stats(
        total=response.total,
        by_type=dict(by_type),
        by_week=[{"week": each.week, "count": each.count} for each in response.by_week],
        active_entities=response.active_entities,
        profile_summary=_summary_of(response.profile_summary),
        graph_nodes=response.graph_nodes,
        graph_edges=response.graph_edges,
        messages=response.messages,
        sessions=response.sessions,
        documents=response.documents,
        pending=PendingWork(
            messages=pending.messages,
            extractions=pending.extractions,
            failed_extractions=pending.failed_extractions,
            embeddings=pending.embeddings,
        ),
    )


def _summary_of(summary: pb.ProfileSummary) -> ProfileSummary | None:
    felt = summary.HasField("emotion_profile")
    if not (felt or summary.profile.fields or summary.insight_count):
        return None
    emotions = emotion_profile(summary.emotion_profile) if felt else None
    return ProfileSummary(
        profile=dict_of(summary.profile),
        emotion_profile=emotions,
        insight_count=summary.insight_count,
        last_reflected_at=emotions["last_reflected_at"] if emotions else None,
    )


def cold_memory_of(memory: types_pb2.Memory) -> ColdMemory:
    """One cold memory."""
    return ColdMemory(
        id=memory.memory_id,
        content=memory.content,
        memory_type=MEMORY_TYPES.name(memory.memory_type),
        metadata=memory_metadata(memory),
        created_at=moment_of(memory.created_at),
        access_count=memory.access_count,
        last_accessed_at=optional_moment(memory, "last_accessed_at"),
        event_at=optional_moment(memory, "event_at"),
        category=memory.category or None,
        tags=list(memory.tags),
    )


def entity_profile_of(response: pb.GetEntityProfileResponse, entity: str) -> EntityProfile:
    """The answer to GetEntityProfile about `entity`."""
    return EntityProfile(
        entity=entity,
        facts=[_fact_of(each) for each in response.facts],
        graph_relations=[graph_result(each) for each in response.graph_relations],
        conversations=[_message_of(each) for each in response.conversations],
        timeline=[
            EntityEvent(
                type=_TYPES[each.kind],
                content=each.content,
                time=moment_of(each.time),
                id=each.id,
            )
            for each in response.timeline
        ],
        names=[entity, *response.aliases],
    )


def _fact_of(memory: types_pb2.Memory) -> EntityFact:
    return EntityFact(
        id=memory.memory_id,
        content=memory.content,
        memory_type=MEMORY_TYPES.name(memory.memory_type),
        metadata=memory_metadata(memory),
        created_at=moment_of(memory.created_at),
        event_at=optional_moment(memory, "event_at"),
        source_message_ids=list(memory.source_message_ids),
    )


def _message_of(message: types_pb2.Message) -> EntityMessage:
    return EntityMessage(
        id=message.message_id,
        role=message.role,
        content=message.content,
        session_id=message.session_id,
        created_at=moment_of(message.created_at),
        speaker=message.speaker or None,
        said_at=optional_moment(message, "said_at"),
    )


def cache_stats_of(response: vector_service_pb2.ClearEmbeddingCacheResponse) -> EmbeddingCacheStats:
    """The answer to ClearEmbeddingCache."""
    return EmbeddingCacheStats(
        entries=response.entries,
        capacity=response.capacity,
        hits=response.hits,
        misses=response.misses,
        model=response.model,
    )
