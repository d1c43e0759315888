"""Memories and messages with their scores, each with what its score is made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1 import recall_service_pb2 as pb
from mnema.v1 import types_pb2 as types
from mnema.v1 import vector_service_pb2 as vector_pb
from services.recall import scoring
from services.recall.arms import Found

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scored:
    """A hit with its score; `id` is that of its memory or message."""

    id: str
    hit: vector_pb.SearchHit
    score: float
    factors: scoring.Factors
    inputs: pb.FactorInputs | None = None

    def shown(self) -> pb.ScoreFactors:
        """What the score is made of, as the contract shows it."""
        return pb.ScoreFactors(
            relevance=self.hit.relevance,
            recency=self.factors.recency,
            importance=self.factors.importance,
            graph_boost=self.factors.graph_boost,
            inputs=self.inputs,
        )

    @property
    def passage(self) -> vector_pb.Passage | None:
        """Where a long text fits best."""
        return self.hit.passage if self.hit.HasField("passage") else None


class Scorer:
    """Scores hits: ages are counted to `now`, and fade with `decay`.

    With `explain` each tells what its factors were worked out from.
    """

    def __init__(
        self,
        now: datetime,
        decay: timedelta,
        boost: scoring.GraphBoost,
        strengths: scoring.Strengths,
        *,
        explain: bool = False,
    ) -> None:
        self._now = _microseconds(now - _EPOCH)
        self._decay = decay
        self._boost = boost
        self._strengths = strengths
        self._explain = explain

    def memories(self, hits: Iterable[vector_pb.SearchHit]) -> list[Scored]:
        """The memories among the hits, the best first."""
        return _ranked([self._memory(hit) for hit in hits if hit.HasField("memory")])

    def messages(self, hits: Iterable[vector_pb.SearchHit]) -> list[Scored]:
        """The messages among the hits, the best first."""
        return _ranked([self._message(hit) for hit in hits if hit.HasField("message")])

    def _memory(self, hit: vector_pb.SearchHit) -> Scored:
        memory = hit.memory
        importance = memory.importance if memory.HasField("importance") else None
        arousal = memory.emotion.arousal if memory.HasField("emotion") else 0.0
        told = _last_told(memory, self._now)
        return self._scored(memory.memory_id, hit, told, arousal, importance, memory.content)

    def _message(self, hit: vector_pb.SearchHit) -> Scored:
        message = hit.message
        stored = _moment(message.created_at)
        return self._scored(message.message_id, hit, stored, 0.0, None, message.content)

    def _scored(
        self,
        thing_id: str,
        hit: vector_pb.SearchHit,
        told: int,
        arousal: float,
        importance: int | None,
        content: str,
    ) -> Scored:
        age = timedelta(0, 0, self._now - told)
        factors = scoring.Factors(
            relevance=hit.relevance.score,
            recency=scoring.recency(age, self._decay, arousal),
            importance=scoring.importance_factor(importance),
            graph_boost=self._boost(content),
        )
        inputs = None
        if self._explain:
            inputs = pb.FactorInputs(
                age=_duration(max(age, timedelta(0))),
                decay_rate=_duration(self._decay),
                arousal=arousal,
                importance=importance,
                graph_coverage=self._boost.coverage(content),
            )
        return Scored(thing_id, hit, factors.score(self._strengths), factors, inputs)


def _duration(span: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(span)
    return duration


def strengths_of(found: Found) -> scoring.Strengths:
    """How much the factors count, as the profile of the search says."""
    if found.ranking is None:
        return scoring.Strengths()
    given = found.ranking.factors
    return scoring.Strengths(given.recency, given.importance, given.graph_boost)


def _ranked(scored: list[Scored]) -> list[Scored]:
    return sorted(scored, key=lambda each: (-each.score, each.id))


def _last_told(memory: types.Memory, now: int) -> int:
    """When it was stored or last said again, as far as that was known at `now`."""
    created = _moment(memory.created_at)
    if memory.HasField("last_refreshed_at"):
        refreshed = _moment(memory.last_refreshed_at)
        if created <= refreshed <= now:
            return refreshed
    return created


def _moment(stamp: Timestamp) -> int:
    """Microseconds since 1970: a datetime costs ten times as much to make."""
    return stamp.seconds * 1_000_000 + stamp.nanos // 1000


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
