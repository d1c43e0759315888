# Written by tools/sync_client.py from _async/analytics.py: change that file, not this one.
"""A memory as a whole: counts, what lies idle, all about one entity; and the embedding cache."""

from collections.abc import Generator
from datetime import datetime

from mnema.client._convert.analytics import (
    cache_stats_of,
    cold_memory_of,
    entity_profile_of,
    stats_of,
)
from mnema.client._convert.times import timestamp_of
from mnema.client._sync import transport
from mnema.client._sync.calls import Caller, take
from mnema.client.analytics import ColdMemory, EmbeddingCacheStats, EntityProfile, Stats
from mnema.v1 import analytics_service_pb2 as pb
from mnema.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from mnema.v1.vector_service_pb2 import ClearEmbeddingCacheRequest
from mnema.v1.vector_service_pb2_grpc import VectorServiceStub


class Analytics:
    """The part of the client that looks at a memory as a whole."""

    _caller: Caller

    def stats(self, user_id: str, *, weeks: int = 12, as_of: datetime | None = None) -> Stats:
        """Counts what a user's memory holds at present; every figure is exact.

        Args:
            user_id: whose memory is counted.
            weeks: how many ISO weeks by_week goes back, the present one included: 1 to 520.
            as_of: counts what stood at that aware datetime. Default: now.

        Returns:
            A dict of total, by_type ({"fact": 20, …}), by_week ([{"week": "2026-W47", "count":
            3}, …], the oldest first), active_entities, profile_summary (None while nothing is
            known of the user), graph_nodes, graph_edges, messages, sessions, documents, pending.
        """
        stub = self._caller.stub(AnalyticsServiceStub)
        request = pb.GetStatsRequest(user_id=user_id, weeks=weeks, as_of=timestamp_of(as_of))
        return stats_of(self._caller.read(stub.GetStats, request))

    def cold_memories(
        self, user_id: str, threshold_days: int = 90, limit: int = 50
    ) -> list[ColdMemory]:
        """Lists the memories that recall has not returned for so long, the coldest first.

        Args:
            user_id: whose memories they are.
            threshold_days: for how many days at least they were not returned or, where they
                never were, not stored: 0 to 36,500.
            limit: how many at most.

        Returns:
            Dicts of id, content, memory_type, metadata, created_at, access_count,
            last_accessed_at (None: never), event_at, category and tags.
        """
        return take(self._cold(user_id, threshold_days, limit), limit)

    def entity_profile(
        self, user_id: str, entity: str, *, limit: int = 20, as_of: datetime | None = None
    ) -> EntityProfile:
        """Gathers what is known of a person, a place or a thing.

        The name is found as a whole ("Ann" is not in "Anna"), in any case, and by the other
        names that the graph has for it.

        Args:
            user_id: whose memory is looked into.
            entity: the name, or the id of its node.
            limit: how many facts, relations and messages at most, of each: 1 to 200.
            as_of: looks at what stood at that aware datetime. Default: now.

        Returns:
            A dict of entity, facts, graph_relations and conversations (each the newest first),
            timeline (all of them by time, the oldest first) and names.
        """
        stub = self._caller.stub(AnalyticsServiceStub)
        request = pb.GetEntityProfileRequest(
            user_id=user_id, entity=entity, limit=limit, as_of=timestamp_of(as_of)
        )
        return entity_profile_of(self._caller.read(stub.GetEntityProfile, request), entity)

    def clear_embedding_cache(self) -> transport.Begun[EmbeddingCacheStats]:
        """Makes every server forget the embeddings it keeps for texts that come again.

        Begins at once, so it need not be awaited; closing the client waits for it. Nothing that
        is stored changes. Needs a tenant's or an admin's key.

        Returns:
            A dict of entries (how many were forgotten), capacity, hits, misses and model: those
            of the server that answered.
        """
        background = self._caller.connection.background
        return background.begin(self._clear, "clearing the embedding cache")

    def _clear(self) -> EmbeddingCacheStats:
        stub = self._caller.stub(VectorServiceStub)
        request = ClearEmbeddingCacheRequest()
        return cache_stats_of(self._caller.read(stub.ClearEmbeddingCache, request))

    def _cold(self, user_id: str, days: int, limit: int) -> Generator[ColdMemory]:
        stub = self._caller.stub(AnalyticsServiceStub)
        request = pb.ListColdMemoriesRequest(user_id=user_id, threshold_days=days)
        for page in self._caller.pages(stub.ListColdMemories, request, limit):
            for memory in page.memories:
                yield cold_memory_of(memory)
