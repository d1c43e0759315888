"""From what the arms found to the answer: scored, explained, merged."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1 import graph_service_pb2 as graph_pb
from mnema.v1 import recall_service_pb2 as pb
from mnema.v1 import vector_service_pb2 as vector_pb
from services.contract.json_values import struct_of
from services.recall import scoring
from services.recall.arms import DEFAULT_LIMIT, Found
from services.recall.joining import joined
from services.recall.scored import Scorer, strengths_of
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
    scorer = Scorer(now, decay, boost, strengths_of(found))
    memories, messages = scorer.memories(found), scorer.messages(found)
    response = pb.RecallResponse(
        vector_results=memories[:limit],
        conversation_results=messages[:limit],
        graph_results=[fact for _, fact in facts],
        graph_context=[_sentence(fact) for _, fact in facts],
        user_profile=struct_of(found.profile) if found.profile else None,
        degraded=bool(found.missing),
        degraded_arms=found.missing,
        profile=found.ranking,
    )
    merged = [
        *map(_merged_memory, memories),
        *map(_merged_message, messages),
        *(_merged_fact(message, scoring.fact_score(fact, terms)) for fact, message in facts),
    ]
    merged.sort(key=lambda each: (-each.score, each.id))
    response.merged.extend(joined(merged)[:limit])
    return response


def moment(request: pb.RecallRequest) -> datetime:
    """The moment that ages are counted to: as_of, or now."""
    if request.HasField("as_of"):
        return request.as_of.ToDatetime(tzinfo=UTC)
    return datetime.now(UTC)


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
        passage=_passage(scored),
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
        passage=_passage(scored),
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


def _passage(scored: pb.ScoredMemory | pb.ScoredMessage) -> vector_pb.Passage | None:
    return scored.passage if scored.HasField("passage") else None


def _given(time: Timestamp, is_set: bool) -> Timestamp | None:
    return time if is_set else None


def recalled(scored: Sequence[pb.ScoredMemory]) -> Iterable[str]:
    """The ids of the memories in an answer."""
    return (each.memory.memory_id for each in scored)
