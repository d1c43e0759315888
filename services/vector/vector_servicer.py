"""VectorService over gRPC."""

from google.protobuf.message import Message
from grpc import aio

from mnema.v1.vector_service_pb2 import (
    Embedding,
    EmbedRequest,
    EmbedResponse,
    SearchRequest,
    SearchResponse,
)
from mnema.v1.vector_service_pb2_grpc import VectorServiceServicer
from services.contract.user import User
from services.providers.embeddings.base import EmbeddingProvider
from services.runtime.database import Database
from services.storage.foundation import EmbeddingSpace
from services.storage.search import Query, search
from services.text.terms import query_terms
from services.vector.convert import DEFAULT_LIMIT, filter_of, given_embedding, search_hit
from services.vector.embedding import PROVIDER_FAILURES, Attempt, provider_failure, try_embed
from services.vector.found import in_full

Context = aio.ServicerContext[Message, Message]


class VectorServicer(VectorServiceServicer):
    """Embeds and searches. `space` holds the vectors of the provider's model."""

    def __init__(
        self, database: Database, provider: EmbeddingProvider, space: EmbeddingSpace
    ) -> None:
        self._database = database
        self._provider = provider
        self._space = space

    async def Embed(
        self,
        request: EmbedRequest,
        context: Context,
    ) -> EmbedResponse:
        """Vectors of texts, in their order."""
        try:
            vectors = await self._provider.embed_batch(list(request.texts))
        except PROVIDER_FAILURES as error:
            raise provider_failure(error, self._provider) from error
        return EmbedResponse(
            embeddings=[Embedding(values=vector.tolist()) for vector in vectors],
            model=self._provider.model,
            dimension=self._provider.dims,
        )

    async def Search(
        self,
        request: SearchRequest,
        context: Context,
    ) -> SearchResponse:
        """The best by words and by meaning; by words alone if the query can't be embedded."""
        user = User.served(request.user_id)
        chosen = filter_of(request)
        limit = request.limit or DEFAULT_LIMIT
        embedded = await self._embedded(request)
        query = Query(query_terms(request.query), embedded.vector)
        async with self._database.transaction(
            user.scope, readonly=True, isolation="repeatable_read"
        ) as connection:
            hits = await search(connection, user.owner_id, self._space, query, chosen, limit)
            found = await in_full(connection, user.owner_id, hits)
        return SearchResponse(
            hits=[search_hit(each, request.user_id) for each in found],
            degraded=bool(embedded.failure),
            degraded_reason=f"by words alone: {embedded.failure}" if embedded.failure else "",
        )

    async def _embedded(self, request: SearchRequest) -> Attempt:
        given = given_embedding(request, self._space.dims)
        return await try_embed(self._provider, request.query) if given is None else Attempt(given)
