"""From what the arms found to the answer: scored, explained, merged."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from mnema.v1 import graph_service_pb2 as graph_pb
from mnema.v1 import recall_service_pb2 as pb
from services.contract.json_values import struct_of
from services.recall import scoring
from services.recall.arms import DEFAULT_LIMIT, Found
from services.recall.fact_times import asks_for_times, of_the_times
from services.recall.joining import joined
from services.recall.merged import Merged, merged_fact, merged_memory, merged_message
from services.recall.prompting import add_context, budget_of
from services.recall.scored import Scored, Scorer, strengths_of
from services.recall.told import Told, told
from services.text.terms import query_terms


def answer(request: pb.RecallRequest, found: Found, now: datetime) -> pb.RecallResponse:
    """The whole answer. `now` is the moment that ages are counted to: as_of, where given."""
    limit = request.limit or DEFAULT_LIMIT
    decay = scoring.DEFAULT_DECAY
    if request.HasField("decay_rate"):
        decay = request.decay_rate.ToTimedelta()
    terms = frozenset(query_terms(request.query)) if found.facts else frozenset()
    facts = told(_facts(request, found), terms, limit)
    boost = scoring.GraphBoost(
        [each.fact for each in facts], terms, [each.coverage for each in facts]
    )
    scorer = Scorer(now, decay, boost, strengths_of(found), explain=request.explain)
    memories, messages = scorer.memories(found.hits), scorer.messages(found.hits)
    response = pb.RecallResponse(
        graph_results=[each.message for each in facts],
        graph_context=[each.sentence for each in facts],
        user_profile=struct_of(found.profile) if found.profile else None,
        degraded=bool(found.missing),
        degraded_arms=found.missing,
        profile=found.ranking,
    )
    _add_memories(response, memories[:limit])
    _add_messages(response, messages[:limit])
    for each in _merged(memories, messages, facts)[:limit]:
        each.add_to(response, explain=request.explain)
    if budget := budget_of(request):
        add_context(response, found.profile, budget)
    return response


def moment(request: pb.RecallRequest) -> datetime:
    """The moment that ages are counted to: as_of, or now."""
    if request.HasField("as_of"):
        return request.as_of.ToDatetime(tzinfo=UTC)
    return datetime.now(UTC)


def recalled(scored: Iterable[pb.ScoredMemory]) -> Iterable[str]:
    """The ids of the memories in an answer."""
    return (each.memory.memory_id for each in scored)


def _facts(request: pb.RecallRequest, found: Found) -> Sequence[graph_pb.GraphFact]:
    return of_the_times(found.facts, request) if asks_for_times(request) else found.facts


def _add_memories(response: pb.RecallResponse, scored: Iterable[Scored]) -> None:
    for each in scored:
        response.vector_results.add(
            memory=each.hit.memory, score=each.score, factors=each.shown(), passage=each.passage
        )


def _add_messages(response: pb.RecallResponse, scored: Iterable[Scored]) -> None:
    for each in scored:
        response.conversation_results.add(
            message=each.hit.message, score=each.score, factors=each.shown(), passage=each.passage
        )


def _merged(
    memories: Iterable[Scored], messages: Iterable[Scored], facts: Iterable[Told]
) -> list[Merged]:
    """All of it by score, each place once. What is cut off was never copied."""
    merged = [
        *map(merged_memory, memories),
        *map(merged_message, messages),
        *map(merged_fact, facts),
    ]
    merged.sort(key=lambda each: (-each.score, each.id))
    return joined(merged)
