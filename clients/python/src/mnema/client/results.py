"""What calls return, where it is plain dicts and lists: recall, search and digest.

Times in them are aware datetimes in UTC.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, TypedDict, TypeVar

from mnema.client.ranking import RankingProfile

Hit = TypeVar("Hit")


class SignalShare(TypedDict):
    """What one signal added to a score: share = value × weight."""

    name: str
    value: float
    weight: float
    share: float


class PassageDict(TypedDict):
    """The part of a long text that fits best: characters start_offset to end_offset of it."""

    content: str
    start_offset: int
    end_offset: int
    position: int
    """Its place among the passages of the text, from 0."""


class Relevance(TypedDict):
    """How well something fits a query."""

    rrf: float
    """The two ranks below, fused: 0 to 1."""
    vector_similarity: float | None
    """Cosine: -1 to 1. None: found by words alone."""
    vector_rank: int | None
    bm25: float | None
    """Above 0, comparable within one answer only. None: no word in common."""
    bm25_rank: int | None
    score: float
    """What a search sorts by, about 0 to 1: the sum of the signals' shares, or rrf."""
    signals: list[SignalShare]
    """What each signal added; empty unless it was asked for (`explain`)."""
    rerank_score: float | None
    """On the reranking model's own scale. None: it was not asked."""


class FactorInputs(TypedDict):
    """What recency, importance and graph_boost were worked out from."""

    age: float
    """Seconds since it was stored or last refreshed."""
    decay_rate: float
    """Seconds."""
    arousal: float
    """0 to 1."""
    importance: int | None
    """1 to 10."""
    graph_coverage: float
    """graph_boost is min(1 + graph_coverage, 2)."""


class FactFactors(TypedDict):
    """What the score of a graph fact is made of: confidence × coverage × weight."""

    confidence: float
    coverage: float
    """The share of the query's words that the fact holds."""
    weight: float


class ScoreFactors(Relevance):
    """What a score is made of, in a recall.

    It is factors["score"] × (1 − strength + strength × factor) for recency, importance and
    graph_boost, with the strengths of the recall's `profile`.
    """

    recency: float
    """0 to 1."""
    importance: float
    """0.1 to 1; 0.5 where no importance is known."""
    graph_boost: float
    """1 to 2."""
    inputs: FactorInputs | None
    """None unless it was asked for (`explain`)."""


class EmotionDict(TypedDict):
    """An emotion as it was expressed."""

    valence: float
    arousal: float
    label: str


class MemoryResult(TypedDict):
    """A memory with its score."""

    id: str
    content: str
    memory_type: str
    metadata: dict[str, Any]
    """The caller's own, and over it "importance" (1 to 10) and "emotion" where they are known."""
    score: float
    factors: ScoreFactors
    source_message_ids: list[str]
    event_at: datetime | None
    created_at: datetime
    confidence: float | None
    category: str | None
    tags: list[str]
    passage: PassageDict | None
    """Set if the content is so long that it is searched by passages."""


class ConversationResult(TypedDict):
    """A message with its score."""

    id: str
    content: str
    role: str
    speaker: str | None
    session_id: str
    said_at: datetime | None
    metadata: dict[str, Any]
    score: float
    factors: ScoreFactors
    source_message_ids: list[str]
    passage: PassageDict | None
    """Set if the content is so long that it is searched by passages. Of more than 16,384
    characters the content is the passage alone; `conversations.get_message` has it all."""


class GraphResult(TypedDict):
    """A fact of the graph."""

    id: str
    subject: str
    relation: str
    object: str
    content: str
    confidence: float | None
    valid_from: datetime | None
    valid_to: datetime | None
    source_message_ids: list[str]
    matched_ends: int
    """How many of its two ends the query names."""


class MergedResult(TypedDict, total=False):
    """One result of all sources. What says the same, a memory and its message, is one result.

    Has these keys always, and if it is among its source's own results those of them besides.
    """

    content: str
    source: Literal["vector", "graph", "conversation"]
    score: float
    id: str
    source_message_ids: list[str]
    event_at: datetime | None
    factors: ScoreFactors | None
    """None for facts of the graph."""
    fact_factors: FactFactors | None
    """Of facts of the graph, if it was asked for (`explain`)."""
    passage: PassageDict | None
    memory_ids: list[str]
    """The memories that this message stands for as well."""
    memory_type: str
    metadata: dict[str, Any]
    subject: str
    relation: str
    object: str
    role: str
    speaker: str | None
    session_id: str
    said_at: datetime | None


class DegradedArm(TypedDict):
    """A part that is missing from an answer."""

    arm: str
    """"vector", "embedding", "rerank", "graph" or "profile"."""
    reason: str


class RecallResult(TypedDict):
    """What is remembered."""

    vector_results: list[MemoryResult]
    conversation_results: list[ConversationResult]
    graph_results: list[GraphResult]
    graph_context: list[str]
    """The facts as text for a prompt: "alice -> WORKS_AT -> google"."""
    user_profile: dict[str, Any]
    merged: list[MergedResult]
    """All sources in one list, the best first."""
    degraded: bool
    """Whether a part is missing."""
    degraded_arms: list[DegradedArm]
    profile: RankingProfile | None
    """The ranking profile that was applied; None if memories could not be searched."""
    context: "PromptContext | None"
    """The answer as a text for a prompt, if it was asked for (`max_context_tokens`)."""


class PromptContext(TypedDict):
    """What is remembered, as a text to be put into a prompt: data, and it says so itself."""

    text: str
    tokens: int
    """Counted so that no common tokenizer counts more of ordinary text."""
    ids: list[str]
    """The ids of the results of `merged` in it, in their order."""
    profile_keys: list[str]
    """The keys of `user_profile` in it."""
    left_out: int
    """How many results of `merged` did not fit."""


class Embeddings(list[list[float]]):
    """Vectors of texts, in their order."""

    def __init__(self, vectors: Iterable[list[float]], model: str) -> None:
        super().__init__(vectors)
        self.model = model
        """The name of the model that made them."""


class SearchHit(TypedDict, total=False):
    """One thing that a search found: "kind" says which keys it has."""

    kind: Literal["memory", "message", "chunk"]
    id: str
    content: str
    score: float
    """factors["score"]: about 0 to 1."""
    factors: Relevance
    passage: PassageDict | None
    memory_type: str
    metadata: dict[str, Any]
    source_message_ids: list[str]
    event_at: datetime | None
    created_at: datetime
    confidence: float | None
    category: str | None
    tags: list[str]
    role: str
    speaker: str | None
    session_id: str
    said_at: datetime | None
    file_id: str
    filename: str
    position: int
    start_offset: int
    end_offset: int
    page: int | None
    line: int | None
    paragraph: int | None


class SearchResults(list[Hit]):
    """What a search found, the best first; says when it could not look everywhere."""

    def __init__(
        self,
        hits: Iterable[Hit],
        degraded: bool,
        degraded_reason: str = "",
        profile: RankingProfile | None = None,
    ) -> None:
        super().__init__(hits)
        self.degraded = degraded
        """Whether only words could be searched, not meaning, or they could not be reranked."""
        self.degraded_reason = degraded_reason
        self.profile = profile
        """The ranking profile that was applied; None where none is told (files)."""


class InsightDict(TypedDict):
    """A conclusion drawn from memories."""

    id: str
    content: str
    category: str
    """"pattern" (something that recurs) or "summary" (what a time was about)."""
    source_memory_ids: list[str]


class EmotionCount(TypedDict):
    """How often an emotion was met."""

    label: str
    count: int


class EmotionProfile(TypedDict):
    """A user's emotions of late and over the long run, as far as they were expressed."""

    latest_state: str | None
    """The recent state in words; None before the first digest."""
    latest_state_period: str | None
    """The ISO week that it speaks of, such as "2026-W47"."""
    latest_state_valence: float
    latest_state_arousal: float
    latest_state_updated_at: datetime | None
    valence_avg: float
    """-1 to 1."""
    arousal_avg: float
    """0 to 1."""
    dominant_emotions: list[EmotionCount]
    """The commonest first."""
    emotion_triggers: list[str]
    source_memory_ids: list[str]
    """The newest first; at most 1,000 of them."""
    source_count: int
    last_reflected_at: datetime | None


class DigestResult(TypedDict):
    """What a digest found."""

    insights_generated: int
    insights: list[InsightDict]
    emotion_profile: EmotionProfile
    memories_analyzed: int
    digest_id: str | None
    """None if there was nothing new to digest."""


class KeyValueItem(TypedDict):
    """One value under its key."""

    key: str
    value: Any


class _Said(TypedDict):
    role: str
    content: str


class NewMessage(_Said, total=False):
    """One message of a batch: role and content, and what else is known."""

    speaker: str
    said_at: datetime
    metadata: Mapping[str, Any]
    session_id: str


class StreamedMessage(NewMessage, total=False):
    """One message of a stream, as NewMessage. `request_id`: a UUID of your own."""

    request_id: str
