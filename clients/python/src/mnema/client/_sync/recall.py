# Written by tools/sync_client.py from _async/recall.py: change that file, not this one.
"""Remembering: recall, search, and memories by time."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from google.protobuf.duration_pb2 import Duration

from mnema.client._convert.memories import EmotionGiven
from mnema.client._convert.names import ITEM_KINDS, MEMORY_TYPES
from mnema.client._convert.recall import recall_result, search_results
from mnema.client._convert.times import UTC, timestamp_of
from mnema.client._sync.calls import Caller
from mnema.client._sync.memories import Memories, MemoryTypes
from mnema.client.models import Memory
from mnema.client.results import Embeddings, RecallResult, SearchHit, SearchResults
from mnema.v1 import recall_service_pb2, vector_service_pb2
from mnema.v1.recall_service_pb2_grpc import RecallServiceStub
from mnema.v1.vector_service_pb2_grpc import VectorServiceStub


class Recall:
    """The part of the client that remembers."""

    _caller: Caller
    memories: Memories

    def recall(  # noqa: PLR0913, PLR0917 - the names are part of the interface
        self,
        user_id: str,
        query: str,
        limit: int = 20,
        decay_rate: float | None = None,
        include_conversations: bool = False,
        memory_type: MemoryTypes = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        event_after: datetime | None = None,
        event_before: datetime | None = None,
        as_of: datetime | None = None,
        *,
        query_embedding: Sequence[float] | None = None,
        ranking_profile: str = "",
        time_zone: str = "",
        asked_at: datetime | None = None,
        explain: bool = False,
        rerank: bool = False,
        query_embedding_model: str = "",
        max_context_tokens: int = 0,
    ) -> RecallResult:
        """Recalls what fits a query: memories, facts of the graph, the profile, messages.

        score = factors["score"] × the recency, importance and graph boost, each as strong as the
        ranking profile says; with "neuromem": rrf × recency × importance × graph_boost. Calls no
        LLM. All filters must hold; each interval is half-open: after <= time < before.

        Args:
            user_id: whose memory is asked. Unknown users have none.
            query: what is looked for, in plain words: 1 to 8,192 characters.
            limit: how many at most, of each source and of the merged list: 1 to 200.
            decay_rate: seconds after which a calm memory counts 1/e. Default: 30 days.
            include_conversations: also searches the messages as they were said.
            memory_type: only memories of this type, or of these. Default: all.
            created_after: only what was stored at or after this aware datetime.
            created_before: only what was stored before this.
            event_after: only what was true or happened at or after this.
            event_before: only what was true or happened before this.
            as_of: recalls memory as it stood at that moment. Default: now.
            query_embedding: the query's embedding if you have it (`embed`): then nothing is
                embedded. Of the server's dimension.
            ranking_profile: how signals become a score: "default", "neuromem", or one of your
                own (`ranking_profiles`). Default: "default".
            time_zone: of who asks, as IANA names it: decides which day "yesterday" in the
                query is. Default: UTC.
            asked_at: the moment that relative dates in the query count from. Default: as_of,
                else now.
            explain: names each signal's share in each score, `factors["signals"]`, what each
                factor was worked out from, `factors["inputs"]`, and what the score of a fact is
                made of, `fact_factors`.
            rerank: has the best hits judged again by the server's reranking model, if it has one.
            query_embedding_model: the model of query_embedding (`embed(...).model`): refused if
                it is not the server's. Default: not checked.
            max_context_tokens: also writes the answer down for a prompt, `context`, in at most
                so many tokens: 64 to 131,072. 0: no.

        Returns:
            A dict of vector_results, conversation_results, graph_results, graph_context,
            user_profile and merged; see RecallResult. If a part of the server is down the
            answer comes without it: `degraded` is True and `degraded_arms` name it.

        Raises:
            InvalidArgument: a value is out of its range.
            NotFound: there is no such ranking profile.
            Unavailable: nothing at all can be searched.

        Example:
            with Mnema() as nm:
                result = nm.recall(user_id="alice", query="Where does Alice work?")
                for found in result["merged"]:
                    print(found["source"], found["score"], found["content"])
        """
        request = recall_service_pb2.RecallRequest(
            user_id=user_id,
            query=query,
            limit=limit,
            decay_rate=_duration(decay_rate),
            include_conversations=include_conversations,
            memory_types=MEMORY_TYPES.numbers(memory_type),
            created_after=timestamp_of(created_after),
            created_before=timestamp_of(created_before),
            event_after=timestamp_of(event_after),
            event_before=timestamp_of(event_before),
            as_of=timestamp_of(as_of),
            query_embedding=() if query_embedding is None else query_embedding,
            ranking_profile=ranking_profile,
            time_zone=time_zone,
            asked_at=timestamp_of(asked_at),
            explain=explain,
            rerank=rerank,
            query_embedding_model=query_embedding_model,
            max_context_tokens=max_context_tokens,
        )
        stub = self._caller.stub(RecallServiceStub)
        return recall_result(self._caller.read(stub.Recall, request))

    def search(  # noqa: PLR0913, PLR0917 - the names are part of the interface
        self,
        user_id: str,
        query: str,
        limit: int = 20,
        memory_type: MemoryTypes = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        event_after: datetime | None = None,
        event_before: datetime | None = None,
        as_of: datetime | None = None,
        *,
        kinds: Sequence[str] | str = "memory",
        query_embedding: Sequence[float] | None = None,
        ranking_profile: str = "",
        time_zone: str = "",
        asked_at: datetime | None = None,
        explain: bool = False,
        rerank: bool = False,
        query_embedding_model: str = "",
    ) -> SearchResults[SearchHit]:
        """Finds what fits a query by words and by meaning, without the factors of `recall`.

        Args:
            user_id: whose memory is searched.
            query: what is looked for: 1 to 8,192 characters.
            limit: how many at most: 1 to 200.
            memory_type: only memories of this type, or of these. Default: all.
            created_after: only what was stored at or after this aware datetime.
            created_before: only what was stored before this.
            event_after: only what was true, happened or was said at or after this.
            event_before: only what was true, happened or was said before this.
            as_of: searches memory as it stood at that moment. Default: now.
            kinds: one or several of "memory", "message", "chunk" (of a file).
            query_embedding: the query's embedding if you have it; of the server's dimension.
            ranking_profile: how signals become a score: "default", "neuromem", or one of your
                own (`ranking_profiles`). Default: "default".
            time_zone: of who asks, as IANA names it: decides which day "yesterday" in the
                query is. Default: UTC.
            asked_at: the moment that relative dates in the query count from. Default: as_of,
                else now.
            explain: names each signal's share in each score: `factors["signals"]`.
            rerank: has the best hits judged again by the server's reranking model, if it has one.
            query_embedding_model: the model of query_embedding; see `recall`.

        Returns:
            Dicts, the best first, with kind, id, content, score (about 0 to 1) and more; see
            SearchHit. `degraded` is True if it could search only words, or only meaning, or
            could not rerank.
        """
        request = vector_service_pb2.SearchRequest(
            user_id=user_id,
            query=query,
            query_embedding=() if query_embedding is None else query_embedding,
            limit=limit,
            kinds=ITEM_KINDS.numbers(kinds),
            memory_types=MEMORY_TYPES.numbers(memory_type),
            created_after=timestamp_of(created_after),
            created_before=timestamp_of(created_before),
            event_after=timestamp_of(event_after),
            event_before=timestamp_of(event_before),
            as_of=timestamp_of(as_of),
            ranking_profile=ranking_profile,
            time_zone=time_zone,
            asked_at=timestamp_of(asked_at),
            explain=explain,
            rerank=rerank,
            query_embedding_model=query_embedding_model,
        )
        stub = self._caller.stub(VectorServiceStub)
        return search_results(self._caller.read(stub.Search, request))

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Embeds 1 to 256 texts with the server's model: vectors of unit length, in a list.

        Its `model` is the model's name.

        Raises:
            Unavailable: the model is a remote one and does not answer.

        Example:
            with Mnema() as nm:
                made = nm.embed(["work"])
                nm.recall(
                    "alice", "work", query_embedding=made[0], query_embedding_model=made.model
                )
        """
        stub = self._caller.stub(VectorServiceStub)
        request = vector_service_pb2.EmbedRequest(texts=texts)
        response = self._caller.read(stub.Embed, request)
        return Embeddings([list(each.values) for each in response.embeddings], response.model)

    def add_memory(  # noqa: PLR0913 - the names are part of the interface
        self,
        user_id: str,
        content: str,
        memory_type: str = "general",
        metadata: Mapping[str, Any] | None = None,
        *,
        importance: int | None = None,
        emotion: EmotionGiven | None = None,
        confidence: float | None = None,
        event_at: datetime | None = None,
        slot: str | None = None,
        tags: Sequence[str] | None = None,
        request_id: str | None = None,
    ) -> Memory:
        """Adds a memory without a conversation. See `memories.add`.

        Example:
            with Mnema() as nm:
                nm.add_memory("alice", "Prefers tea to coffee", "preference", importance=6)
        """
        return self.memories.add(
            user_id,
            content,
            memory_type,
            metadata,
            importance=importance,
            emotion=emotion,
            confidence=confidence,
            event_at=event_at,
            slot=slot,
            tags=tags,
            request_id=request_id,
        )

    def get_memories_by_time_range(
        self,
        user_id: str,
        start_time: datetime,
        end_time: datetime,
        memory_type: MemoryTypes = None,
        limit: int = 50,
        *,
        by: Literal["created", "event"] = "created",
    ) -> list[Memory]:
        """Lists the memories of a time, the newest first.

        Args:
            user_id: whose memories they are.
            start_time: an aware datetime; included.
            end_time: an aware datetime; excluded.
            memory_type: only memories of this type, or of these. Default: all.
            limit: how many at most.
            by: which time counts: when they were stored ("created"), or when they were true or
                happened ("event"; memories that don't know it are left out).
        """
        if by == "event":
            return self.memories.list(
                user_id, memory_type, limit, event_after=start_time, event_before=end_time
            )
        if by != "created":
            raise ValueError(f"by is {by!r}: it must be 'created' or 'event'")
        return self.memories.list(
            user_id, memory_type, limit, created_after=start_time, created_before=end_time
        )

    def get_recent_memories(
        self, user_id: str, days: float = 7, memory_types: MemoryTypes = None, limit: int = 50
    ) -> list[Memory]:
        """Lists the memories that were stored in the last `days` days, the newest first."""
        since = datetime.now(UTC) - timedelta(days=days)
        return self.memories.list(user_id, memory_types, limit, created_after=since)


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration
