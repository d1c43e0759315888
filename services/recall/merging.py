"""From what the arms found to the answer: scored, explained, merged."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1 import graph_service_pb2 as graph_pb
from mnema.v1 import recall_service_pb2 as pb
from mnema.v1 import types_pb2 as types
from mnema.v1 import vector_service_pb2 as vector_pb
from services.recall import scoring
from services.recall.arms import DEFAULT_LIMIT, Found
from services.text.terms import query_terms

CERTAIN = 1.0


def answer(request: pb.RecallRequest, found: Found, now: datetime) -> pb.RecallResponse:
    """The whole answer. `now` is the moment that ages are counted to: as_of, where given."""
    limit = request.limit or DEFAULT_LIMIT
    decay = scoring.DEFAULT_DECAY
    if request.HasField("decay_rate"):
        decay = request.decay_rate.ToTimedelta()
    terms = frozenset(query_terms(request.query))
    facts = sorted(
        ((_fact(fact), fact) for fact in found.facts),
        key=lambda pair: -scoring.fact_score(pair[0], terms),
    )[:limit]
    boost = scoring.GraphBoost([fact for fact, _ in facts], terms)
    memories = _memories(found, now, decay, boost)[:limit]
    messages = _messages(found, now, decay, boost)[:limit]
    response = pb.RecallResponse(
        vector_results=memories,
        conversation_results=messages,
        graph_results=[fact for _, fact in facts],
        graph_context=[_sentence(fact) for _, fact in facts],
        degraded=bool(found.missing),
        degraded_arms=found.missing,
    )
    for each in found.profile:
        response.user_profile.fields[each.key].CopyFrom(each.value)
    merged = [
        *map(_merged_memory, memories),
        *map(_merged_message, messages),
        *(_merged_fact(message, scoring.fact_score(fact, terms)) for fact, message in facts),
    ]
    merged.sort(key=lambda each: (-each.score, each.id))
    response.merged.extend(merged[:limit])
    return response


def moment(request: pb.RecallRequest) -> datetime:
    """The moment that ages are counted to: as_of, or now."""
    if request.HasField("as_of"):
        return request.as_of.ToDatetime(tzinfo=UTC)
    return datetime.now(UTC)


def _memories(
    found: Found, now: datetime, decay: timedelta, boost: scoring.GraphBoost
) -> list[pb.ScoredMemory]:
    scored = []
    for hit in found.hits:
        if not hit.HasField("memory"):
            continue
        memory = hit.memory
        importance = memory.importance if memory.HasField("importance") else None
        factors = scoring.Factors(
            rrf=hit.relevance.rrf,
            recency=scoring.recency(
                scoring.age_of(_last_told(memory, now), now), decay, memory.emotion.arousal
            ),
            importance=scoring.importance_factor(importance),
            graph_boost=boost(memory.content),
        )
        scored.append(
            pb.ScoredMemory(memory=memory, score=factors.score, factors=_factors(factors, hit))
        )
    return sorted(scored, key=lambda each: (-each.score, each.memory.memory_id))


def _messages(
    found: Found, now: datetime, decay: timedelta, boost: scoring.GraphBoost
) -> list[pb.ScoredMessage]:
    scored = []
    for hit in found.hits:
        if not hit.HasField("message"):
            continue
        stored = hit.message.created_at.ToDatetime(tzinfo=UTC)
        factors = scoring.Factors(
            rrf=hit.relevance.rrf,
            recency=scoring.recency(scoring.age_of(stored, now), decay, arousal=0.0),
            importance=scoring.importance_factor(None),
            graph_boost=boost(hit.message.content),
        )
        scored.append(
            pb.ScoredMessage(
                message=hit.message, score=factors.score, factors=_factors(factors, hit)
            )
        )
    return sorted(scored, key=lambda each: (-each.score, each.message.message_id))


def _last_told(memory: types.Memory, now: datetime) -> datetime:
    """When it was stored or last said again, as far as that was known at `now`."""
    refreshed = memory.last_refreshed_at.ToDatetime(tzinfo=UTC)
    created = memory.created_at.ToDatetime(tzinfo=UTC)
    return refreshed if created <= refreshed <= now else created


def _factors(factors: scoring.Factors, hit: vector_pb.SearchHit) -> pb.ScoreFactors:
    return pb.ScoreFactors(
        relevance=hit.relevance,
        recency=factors.recency,
        importance=factors.importance,
        graph_boost=factors.graph_boost,
    )


def _fact(fact: graph_pb.GraphFact) -> scoring.Fact:
    confidence = fact.edge.confidence if fact.edge.HasField("confidence") else CERTAIN
    return scoring.Fact(fact.subject, fact.relation, fact.object, fact.edge.content, confidence)


def _sentence(fact: graph_pb.GraphFact) -> str:
    return f"{fact.subject} -> {fact.relation} -> {fact.object}"


def _merged_memory(scored: pb.ScoredMemory) -> pb.MergedResult:
    memory = scored.memory
    return pb.MergedResult(
        content=memory.content,
        source=pb.RESULT_SOURCE_VECTOR,
        score=scored.score,
        id=memory.memory_id,
        source_message_ids=memory.source_message_ids,
        event_at=_given(memory.event_at, memory.HasField("event_at")),
        factors=scored.factors,
    )


def _merged_message(scored: pb.ScoredMessage) -> pb.MergedResult:
    message = scored.message
    said_by = f"{message.speaker}: " if message.speaker else ""
    return pb.MergedResult(
        content=said_by + message.content,
        source=pb.RESULT_SOURCE_CONVERSATION,
        score=scored.score,
        id=message.message_id,
        source_message_ids=[message.message_id],
        event_at=message.said_at,
        factors=scored.factors,
    )


def _merged_fact(fact: graph_pb.GraphFact, score: float) -> pb.MergedResult:
    return pb.MergedResult(
        content=_sentence(fact),
        source=pb.RESULT_SOURCE_GRAPH,
        score=score,
        id=fact.edge.edge_id,
        source_message_ids=fact.edge.source_message_ids,
        event_at=_given(fact.edge.valid_from, fact.edge.HasField("valid_from")),
    )


def _given(time: Timestamp, is_set: bool) -> Timestamp | None:
    return time if is_set else None


def recalled(scored: Sequence[pb.ScoredMemory]) -> Iterable[str]:
    """The ids of the memories in an answer."""
    return (each.memory.memory_id for each in scored)
