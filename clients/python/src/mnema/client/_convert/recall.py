"""Answers of recall, search and digest, as dicts."""

from typing import Literal

from mnema.client._convert.json_values import dict_of
from mnema.client._convert.memories import memory_metadata
from mnema.client._convert.names import DIGEST_STATES, DIGEST_TRIGGERS, MEMORY_TYPES
from mnema.client._convert.ranking import profile_of
from mnema.client._convert.times import moment_of, optional_moment
from mnema.client.digests import Digest
from mnema.client.results import (
    ConversationResult,
    DigestResult,
    EmotionProfile,
    FactFactors,
    FactorInputs,
    GraphResult,
    MemoryResult,
    MergedResult,
    PassageDict,
    PromptContext,
    RecallResult,
    Relevance,
    ScoreFactors,
    SearchHit,
    SearchResults,
)
from mnema.v1 import (
    file_service_pb2,
    graph_service_pb2,
    recall_service_pb2,
    reflect_service_pb2,
    types_pb2,
    vector_service_pb2,
)

_SOURCES: dict[int, Literal["vector", "graph", "conversation"]] = {
    recall_service_pb2.RESULT_SOURCE_VECTOR: "vector",
    recall_service_pb2.RESULT_SOURCE_GRAPH: "graph",
    recall_service_pb2.RESULT_SOURCE_CONVERSATION: "conversation",
}


def recall_result(response: recall_service_pb2.RecallResponse) -> RecallResult:
    """Everything that Recall answers."""
    memories = [_memory_result(each) for each in response.vector_results]
    messages = [_conversation_result(each) for each in response.conversation_results]
    facts = [graph_result(each) for each in response.graph_results]
    found: dict[str, MergedResult] = {}
    for results in (memories, messages, facts):
        # What the merged list says of a result is said over what its source says of it.
        found.update({each["id"]: MergedResult(**each) for each in results})  # type: ignore[typeddict-item]
    return RecallResult(
        vector_results=memories,
        conversation_results=messages,
        graph_results=facts,
        graph_context=list(response.graph_context),
        user_profile=dict_of(response.user_profile),
        merged=[_merged(each, found.get(each.id, {})) for each in response.merged],
        degraded=response.degraded,
        degraded_arms=[{"arm": each.arm, "reason": each.reason} for each in response.degraded_arms],
        profile=profile_of(response.profile) if response.HasField("profile") else None,
        context=_context(response.context) if response.HasField("context") else None,
    )


def _context(context: recall_service_pb2.PromptContext) -> PromptContext:
    return PromptContext(
        text=context.text,
        tokens=context.tokens,
        ids=list(context.result_ids),
        profile_keys=list(context.profile_keys),
        left_out=context.results_left_out,
    )


def _memory_result(scored: recall_service_pb2.ScoredMemory) -> MemoryResult:
    memory = scored.memory
    return MemoryResult(
        id=memory.memory_id,
        content=memory.content,
        memory_type=MEMORY_TYPES.name(memory.memory_type),
        metadata=memory_metadata(memory),
        score=scored.score,
        factors=_factors(scored.factors),
        source_message_ids=list(memory.source_message_ids),
        event_at=optional_moment(memory, "event_at"),
        created_at=moment_of(memory.created_at),
        confidence=memory.confidence if memory.HasField("confidence") else None,
        category=memory.category or None,
        tags=list(memory.tags),
        passage=_passage(scored),
    )


def _conversation_result(scored: recall_service_pb2.ScoredMessage) -> ConversationResult:
    message = scored.message
    return ConversationResult(
        id=message.message_id,
        content=message.content,
        role=message.role,
        speaker=message.speaker or None,
        session_id=message.session_id,
        said_at=optional_moment(message, "said_at"),
        metadata=dict_of(message.metadata),
        score=scored.score,
        factors=_factors(scored.factors),
        source_message_ids=[message.message_id],
        passage=_passage(scored),
    )


def graph_result(fact: graph_service_pb2.GraphFact) -> GraphResult:
    """A fact of the graph."""
    edge = fact.edge
    return GraphResult(
        id=edge.edge_id,
        subject=fact.subject,
        relation=fact.relation,
        object=fact.object,
        content=edge.content,
        confidence=edge.confidence if edge.HasField("confidence") else None,
        valid_from=optional_moment(edge, "valid_from"),
        valid_to=optional_moment(edge, "valid_to"),
        source_message_ids=list(edge.source_message_ids),
        matched_ends=fact.matched_ends,
    )


def graph_facts(response: graph_service_pb2.FindFactsResponse) -> list[GraphResult]:
    """The facts that FindFacts answers."""
    return [graph_result(each) for each in response.facts]


def _merged(result: recall_service_pb2.MergedResult, known: MergedResult) -> MergedResult:
    merged = known.copy()
    merged["content"] = result.content
    merged["source"] = _SOURCES[result.source]
    merged["score"] = result.score
    merged["id"] = result.id
    merged["source_message_ids"] = list(result.source_message_ids)
    merged["event_at"] = optional_moment(result, "event_at")
    merged["factors"] = _factors(result.factors) if result.HasField("factors") else None
    merged["fact_factors"] = None
    if result.HasField("fact_factors"):
        fact = result.fact_factors
        merged["fact_factors"] = FactFactors(
            confidence=fact.confidence, coverage=fact.coverage, weight=fact.weight
        )
    merged["passage"] = _passage(result)
    merged["memory_ids"] = list(result.memory_ids)
    return merged


def _passage(
    found: recall_service_pb2.ScoredMemory
    | recall_service_pb2.ScoredMessage
    | recall_service_pb2.MergedResult
    | vector_service_pb2.SearchHit,
) -> PassageDict | None:
    if not found.HasField("passage"):
        return None
    return PassageDict(
        content=found.passage.content,
        start_offset=found.passage.start_offset,
        end_offset=found.passage.end_offset,
        position=found.passage.position,
    )


def _relevance(relevance: vector_service_pb2.Relevance) -> Relevance:
    known = relevance.HasField
    return Relevance(
        rrf=relevance.rrf,
        vector_similarity=relevance.vector_similarity if known("vector_similarity") else None,
        vector_rank=relevance.vector_rank if known("vector_rank") else None,
        bm25=relevance.bm25 if known("bm25") else None,
        bm25_rank=relevance.bm25_rank if known("bm25_rank") else None,
        score=relevance.score,
        signals=[
            {"name": each.name, "value": each.value, "weight": each.weight, "share": each.share}
            for each in relevance.signals
        ],
        rerank_score=relevance.rerank_score if known("rerank_score") else None,
    )


def _factors(factors: recall_service_pb2.ScoreFactors) -> ScoreFactors:
    return ScoreFactors(
        **_relevance(factors.relevance),
        recency=factors.recency,
        importance=factors.importance,
        graph_boost=factors.graph_boost,
        inputs=_inputs(factors.inputs) if factors.HasField("inputs") else None,
    )


def _inputs(inputs: recall_service_pb2.FactorInputs) -> FactorInputs:
    return FactorInputs(
        age=inputs.age.ToTimedelta().total_seconds(),
        decay_rate=inputs.decay_rate.ToTimedelta().total_seconds(),
        arousal=inputs.arousal,
        importance=inputs.importance if inputs.HasField("importance") else None,
        graph_coverage=inputs.graph_coverage,
    )


def search_results(response: vector_service_pb2.SearchResponse) -> SearchResults[SearchHit]:
    """What Search found."""
    hits = [_search_hit(each) for each in response.hits]
    profile = profile_of(response.profile) if response.HasField("profile") else None
    return SearchResults(hits, response.degraded, response.degraded_reason, profile)


def file_results(response: file_service_pb2.SearchFilesResponse) -> SearchResults[SearchHit]:
    """What SearchFiles found."""
    hits: list[SearchHit] = []
    for each in response.hits:
        hit = _chunk_hit(each.chunk)
        hit["factors"] = _relevance(each.relevance)
        hit["score"] = each.score
        hits.append(hit)
    reason = "only words could be searched, not meaning" if response.degraded else ""
    return SearchResults(hits, response.degraded, reason)


def _search_hit(hit: vector_service_pb2.SearchHit) -> SearchHit:
    kind = hit.WhichOneof("item")
    if kind == "memory":
        found = _memory_hit(hit.memory)
    elif kind == "message":
        found = _message_hit(hit.message)
    else:
        found = _chunk_hit(hit.chunk)
    found["factors"] = _relevance(hit.relevance)
    found["score"] = hit.relevance.score
    found["passage"] = _passage(hit)
    return found


def _memory_hit(memory: types_pb2.Memory) -> SearchHit:
    return SearchHit(
        kind="memory",
        id=memory.memory_id,
        content=memory.content,
        memory_type=MEMORY_TYPES.name(memory.memory_type),
        metadata=memory_metadata(memory),
        source_message_ids=list(memory.source_message_ids),
        event_at=optional_moment(memory, "event_at"),
        created_at=moment_of(memory.created_at),
        confidence=memory.confidence if memory.HasField("confidence") else None,
        category=memory.category or None,
        tags=list(memory.tags),
    )


def _message_hit(message: types_pb2.Message) -> SearchHit:
    return SearchHit(
        kind="message",
        id=message.message_id,
        content=message.content,
        role=message.role,
        speaker=message.speaker or None,
        session_id=message.session_id,
        said_at=optional_moment(message, "said_at"),
        created_at=moment_of(message.created_at),
        metadata=dict_of(message.metadata),
        source_message_ids=[message.message_id],
    )


def _chunk_hit(chunk: vector_service_pb2.Chunk) -> SearchHit:
    return SearchHit(
        kind="chunk",
        id=chunk.chunk_id,
        content=chunk.content,
        file_id=chunk.file_id,
        filename=chunk.filename,
        position=chunk.position,
        start_offset=chunk.start_offset,
        end_offset=chunk.end_offset,
        page=chunk.page or None,
        line=chunk.line or None,
        paragraph=chunk.paragraph or None,
    )


def digest_result(
    response: reflect_service_pb2.DigestResponse | reflect_service_pb2.Digest,
) -> DigestResult:
    """What a digest found."""
    return DigestResult(
        insights_generated=response.insights_generated,
        insights=[
            {
                "id": each.memory_id,
                "content": each.content,
                "category": each.category,
                "source_memory_ids": list(each.source_memory_ids),
            }
            for each in response.insights
        ],
        emotion_profile=emotion_profile(response.emotion_profile),
        memories_analyzed=response.memories_analyzed,
        digest_id=response.digest_id or None,
    )


def digest_of(digest: reflect_service_pb2.Digest, *, result: bool) -> Digest:
    """A digest as callers see it; `result` if the message has it."""
    done = digest.state == reflect_service_pb2.DIGEST_STATE_DONE
    return Digest(
        id=digest.digest_id,
        state=DIGEST_STATES.name(digest.state),
        trigger=DIGEST_TRIGGERS.name(digest.trigger),
        batch_size=digest.batch_size,
        attempts=digest.attempts,
        memories_analyzed=digest.memories_analyzed,
        insights_generated=digest.insights_generated,
        created_at=moment_of(digest.created_at),
        started_at=optional_moment(digest, "started_at"),
        finished_at=optional_moment(digest, "finished_at"),
        result=digest_result(digest) if result and done else None,
        error=digest.error or None,
        error_reason=digest.error_reason or None,
    )


def emotion_profile(profile: types_pb2.EmotionProfile) -> EmotionProfile:
    """An emotion profile as a dict."""
    return EmotionProfile(
        latest_state=profile.latest_state or None,
        latest_state_period=profile.latest_state_period or None,
        latest_state_valence=profile.latest_state_valence,
        latest_state_arousal=profile.latest_state_arousal,
        latest_state_updated_at=optional_moment(profile, "latest_state_updated_at"),
        valence_avg=profile.valence_avg,
        arousal_avg=profile.arousal_avg,
        dominant_emotions=[
            {"label": each.label, "count": each.count} for each in profile.dominant_emotions
        ],
        emotion_triggers=list(profile.emotion_triggers),
        source_memory_ids=list(profile.source_memory_ids),
        source_count=profile.source_count,
        last_reflected_at=optional_moment(profile, "last_reflected_at"),
    )
