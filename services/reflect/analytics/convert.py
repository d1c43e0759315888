"""Analytics as the contract has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from mnema.v1 import analytics_service_pb2 as pb
from mnema.v1.graph_service_pb2 import GraphFact
from services.contract.convert_graph import edge_message
from services.contract.convert_memory import memory_of
from services.contract.convert_message import datetime_of, message_of, timestamp_of
from services.contract.json_values import struct_of
from services.reflect.analytics.entities import EntityProfile, Relation
from services.reflect.convert import profile_message
from services.runtime.paging import Cursor
from services.storage.analytics import ColdMemory, MemoryCounts, OtherCounts
from services.storage.digests import EmotionProfileRow
from services.storage.extractions import Waiting
from services.storage.memory_accesses import Access

_KINDS = {
    "memory": pb.ENTITY_EVENT_KIND_MEMORY,
    "conversation": pb.ENTITY_EVENT_KIND_CONVERSATION,
    "graph": pb.ENTITY_EVENT_KIND_GRAPH,
}


@dataclass(frozen=True, slots=True)
class Stats:
    """All that GetStats answers."""

    memories: MemoryCounts
    others: OtherCounts
    waiting: Waiting
    unembedded: int
    profile: Mapping[str, Any]
    emotions: EmotionProfileRow | None


def as_of_of(request: Message) -> datetime | None:
    """The moment asked for; None: now."""
    return datetime_of(request.as_of) if request.HasField("as_of") else None  # type: ignore[attr-defined]


def stats_response(stats: Stats) -> pb.GetStatsResponse:
    """The answer to GetStats."""
    by_type, others, waiting = stats.memories.by_type, stats.others, stats.waiting
    return pb.GetStatsResponse(
        total=sum(by_type.values()),
        by_type=by_type,
        by_week=[
            pb.WeekCount(week=week, count=count) for week, count in stats.memories.by_week.items()
        ],
        active_entities=others.entities,
        graph_nodes=others.nodes,
        graph_edges=others.edges,
        messages=others.messages,
        sessions=others.sessions,
        documents=others.documents,
        pending=pb.PendingWork(
            messages=waiting.pending_messages,
            extractions=waiting.running_extractions,
            failed_extractions=waiting.failed_extractions,
            embeddings=stats.unembedded,
        ),
        profile_summary=pb.ProfileSummary(
            profile=struct_of(stats.profile),
            emotion_profile=profile_message(stats.emotions) if stats.emotions else None,
            insight_count=by_type.get("insight", 0),
        ),
    )


def cold_response(
    page: list[ColdMemory], user_id: str, next_page_token: str
) -> pb.ListColdMemoriesResponse:
    """A page of cold memories."""
    return pb.ListColdMemoriesResponse(
        memories=[memory_of(each.row, user_id, each.access) for each in page],
        next_page_token=next_page_token,
    )


def cold_cursor(last: ColdMemory) -> Cursor:
    """Where the next page begins."""
    return last.cold_since.isoformat(), str(last.row.memory_id)


def cold_place(cursor: Cursor | None) -> tuple[datetime, UUID] | None:
    """The place that a cursor names."""
    if cursor is None:
        return None
    since, memory_id = cursor
    return datetime.fromisoformat(str(since)), UUID(str(memory_id))


def entity_response(
    profile: EntityProfile, accesses: Mapping[UUID, Access], user_id: str
) -> pb.GetEntityProfileResponse:
    """The answer to GetEntityProfile."""
    return pb.GetEntityProfileResponse(
        aliases=profile.names[1:],
        facts=[memory_of(row, user_id, accesses.get(row.memory_id)) for row in profile.facts],
        graph_relations=[_fact(each) for each in profile.relations],
        conversations=[message_of(row, user_id) for row in profile.messages],
        timeline=[
            pb.EntityEvent(
                kind=_KINDS[each.kind],
                id=str(each.identity),
                content=each.content,
                time=timestamp_of(each.time),
            )
            for each in profile.timeline
        ],
    )


def _fact(relation: Relation) -> GraphFact:
    return GraphFact(
        edge=edge_message(relation.edge),
        subject=relation.subject,
        relation=relation.relation,
        object=relation.object,
        matched_ends=relation.matched_ends,
    )
