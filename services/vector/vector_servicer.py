"""VectorService over gRPC."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from google.protobuf.message import Message
from grpc import aio

from mnema.v1.vector_service_pb2 import (
    ClearEmbeddingCacheRequest,
    ClearEmbeddingCacheResponse,
    EmbedRequest,
    EmbedResponse,
    SearchHit,
    SearchRequest,
    SearchResponse,
)
from services.contract.packed_vectors import embedding_of
from services.contract.user import User
from services.providers.embeddings.base import EmbeddingProvider, Vector
from services.providers.rerank.base import Reranker
from services.runtime.context import current, require_whole, user_scope
from services.runtime.database import Database
from services.storage.codes import SegmentCache
from services.storage.foundation import EmbeddingSpace
from services.storage.search import UnitCache
from services.vector.convert import (
    DEFAULT_LIMIT,
    asked_at,
    filter_of,
    given_embedding,
    search_hit,
)
from services.vector.embedding import PROVIDER_FAILURES, Attempt, provider_failure, try_embed
from services.vector.forgetting import CacheForgetter
from services.vector.found import in_full
from services.vector.profile_servicer import ProfileServicer, shown
from services.vector.profiles import Profiles
from services.vector.ranking.profile import Profile
from services.vector.reranking import try_rerank
from services.vector.searching import Asked, Searcher, Speakers

Context = aio.ServicerContext[Message, Message]


class VectorServicer(ProfileServicer):
    """Embeds and searches. `space` holds the vectors of the provider's model."""

    def __init__(
        self,
        database: Database,
        provider: EmbeddingProvider,
        space: EmbeddingSpace,
        profiles: Profiles,
        reranker: Reranker | None,
        forgetter: CacheForgetter,
    ) -> None:
        super().__init__(profiles)
        self._database = database
        self._provider = provider
        self._space = space
        self._reranker = reranker
        self._forgetter = forgetter
        self._searcher = Searcher(space, SegmentCache(), UnitCache(), Speakers())

    async def Embed(
        self,
        request: EmbedRequest,
        context: Context,
    ) -> EmbedResponse:
        """Vectors of texts, in their order."""
        if request.user_id:
            user_scope(request.user_id)
        try:
            vectors = await self._vectors(request.texts)
        except PROVIDER_FAILURES as error:
            raise provider_failure(error, self._provider) from error
        return EmbedResponse(
            embeddings=map(embedding_of, vectors),
            model=self._provider.model,
            dimension=self._provider.dims,
        )

    async def ClearEmbeddingCache(
        self,
        request: ClearEmbeddingCacheRequest,
        context: Context,
    ) -> ClearEmbeddingCacheResponse:
        """What was kept, here; it is forgotten everywhere."""
        require_whole()
        figures = await self._forgetter.forget_everywhere()
        return ClearEmbeddingCacheResponse(
            entries=figures.entries,
            capacity=figures.capacity,
            hits=figures.hits,
            misses=figures.misses,
            model=figures.model,
        )

    async def _vectors(self, texts: Sequence[str]) -> Iterable[Vector]:
        """A caller waits for a single text; a service that works by itself has time."""
        principal = current().principal
        if len(texts) == 1 and (principal is None or principal.kind != "service"):
            return [await self._provider.embed(texts[0])]
        return await self._provider.embed_batch(list(texts))

    async def Search(
        self,
        request: SearchRequest,
        context: Context,
    ) -> SearchResponse:
        """The best by words and by meaning; by words alone if the query can't be embedded."""
        user = User.served(request.user_id)
        moment = asked_at(request)
        ranking = await self._profiles.for_search(user.scope, request.ranking_profile)
        asked = Asked(request.query, moment, self._embedder(request))
        try:
            hits = await self._found(user, request, asked, ranking.profile)
        finally:
            asked.drop()
        embedded = asked.attempt or Attempt(None)
        failures = {"embedding": f"by words alone: {embedded.failure}"} if embedded.failure else {}
        if request.rerank:
            reranked = await try_rerank(self._reranker, request.query, hits)
            hits = reranked.hits[: request.limit or DEFAULT_LIMIT]
            if reranked.failure:
                failures["rerank"] = f"not reranked: {reranked.failure}"
        return SearchResponse(
            hits=hits,
            degraded=bool(failures),
            degraded_reason="; ".join(failures.values()),
            degraded_parts=list(failures),
            profile=shown(ranking),
        )

    async def _found(
        self, user: User, request: SearchRequest, asked: Asked, profile: Profile
    ) -> Sequence[SearchHit]:
        """The hits of one moment, as many as the call shows or the reranking model judges."""
        chosen = filter_of(request)
        limit = request.limit or DEFAULT_LIMIT
        if request.rerank and self._reranker is not None:
            limit = max(limit, self._reranker.top_n)
        self._searcher.begin(user.owner_id, asked, chosen, profile)
        async with self._database.transaction(
            user.scope, readonly=True, isolation="repeatable_read", by_keys=True
        ) as connection:
            hits = await self._searcher.search(
                connection, user.owner_id, asked, chosen, profile, limit
            )
            found = await in_full(connection, user.owner_id, hits, chosen.as_of)
        return [search_hit(each, request.user_id, explain=request.explain) for each in found]

    def _embedder(self, request: SearchRequest) -> Callable[[str], Awaitable[Attempt]]:
        """How words are embedded for a query; an embedding that the caller gave stands for all."""
        given = given_embedding(request, self._space.dims, self._provider.model)
        if given is None:
            return partial(try_embed, self._provider)

        async def as_given(_: str) -> Attempt:
            return Attempt(given)

        return as_given
