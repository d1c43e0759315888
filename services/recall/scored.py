"""Memories and messages with their scores, each with what its score is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mnema.v1 import recall_service_pb2 as pb
from mnema.v1 import types_pb2 as types
from mnema.v1 import vector_service_pb2 as vector_pb
from services.recall import scoring
from services.recall.arms import Found


@dataclass(frozen=True, slots=True)
class Scorer:
    """Scores hits: ages are counted to `now`, and fade with `decay`."""

    now: datetime
    decay: timedelta
    boost: scoring.GraphBoost
    strengths: scoring.Strengths

    def memories(self, found: Found) -> list[pb.ScoredMemory]:
        """The memories, the best first."""
        scored = list(self._memories(found))
        return sorted(scored, key=lambda each: (-each.score, each.memory.memory_id))

    def messages(self, found: Found) -> list[pb.ScoredMessage]:
        """The messages, the best first."""
        scored = list(self._messages(found))
        return sorted(scored, key=lambda each: (-each.score, each.message.message_id))

    def _memories(self, found: Found) -> Iterator[pb.ScoredMemory]:
        for hit in found.hits:
            if not hit.HasField("memory"):
                continue
            memory = hit.memory
            importance = memory.importance if memory.HasField("importance") else None
            told = _last_told(memory, self.now)
            factors = self._factors(hit, told, memory.emotion.arousal, importance, memory.content)
            yield pb.ScoredMemory(
                memory=memory,
                score=factors.score(self.strengths),
                factors=_shown(factors, hit),
                passage=_passage(hit),
            )

    def _messages(self, found: Found) -> Iterator[pb.ScoredMessage]:
        for hit in found.hits:
            if not hit.HasField("message"):
                continue
            stored = hit.message.created_at.ToDatetime(tzinfo=UTC)
            factors = self._factors(hit, stored, 0.0, None, hit.message.content)
            yield pb.ScoredMessage(
                message=hit.message,
                score=factors.score(self.strengths),
                factors=_shown(factors, hit),
                passage=_passage(hit),
            )

    def _factors(
        self,
        hit: vector_pb.SearchHit,
        told: datetime,
        arousal: float,
        importance: int | None,
        content: str,
    ) -> scoring.Factors:
        return scoring.Factors(
            relevance=hit.relevance.score,
            recency=scoring.recency(scoring.age_of(told, self.now), self.decay, arousal),
            importance=scoring.importance_factor(importance),
            graph_boost=self.boost(content),
        )


def strengths_of(found: Found) -> scoring.Strengths:
    """How much the factors count, as the profile of the search says."""
    if found.ranking is None:
        return scoring.Strengths()
    given = found.ranking.factors
    return scoring.Strengths(given.recency, given.importance, given.graph_boost)


def _last_told(memory: types.Memory, now: datetime) -> datetime:
    """When it was stored or last said again, as far as that was known at `now`."""
    refreshed = memory.last_refreshed_at.ToDatetime(tzinfo=UTC)
    created = memory.created_at.ToDatetime(tzinfo=UTC)
    return refreshed if created <= refreshed <= now else created


def _shown(factors: scoring.Factors, hit: vector_pb.SearchHit) -> pb.ScoreFactors:
    return pb.ScoreFactors(
        relevance=hit.relevance,
        recency=factors.recency,
        importance=factors.importance,
        graph_boost=factors.graph_boost,
    )


def _passage(hit: vector_pb.SearchHit) -> vector_pb.Passage | None:
    return hit.passage if hit.HasField("passage") else None
