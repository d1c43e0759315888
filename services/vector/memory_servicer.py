"""The gRPC face of single memories."""

from dataclasses import replace
from uuid import UUID

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import memory_service_pb2 as pb
from mnema.v1 import types_pb2
from services.contract.convert_graph import moment_of
from services.contract.convert_memory import memory_of, new_memory_of
from services.contract.user import User
from services.providers.embeddings.base import EmbeddingProvider
from services.runtime.database import Connection, Database
from services.runtime.errors import NotFound, invalid
from services.runtime.paging import PageTokens, page_size
from services.storage import memories
from services.storage.foundation import EmbeddingSpace, lock_owner
from services.storage.requests import once
from services.vector import remembering
from services.vector.convert import cursor_of, memory_filter_of, place_of
from services.vector.correction import correction_of
from services.vector.embedding import try_embed
from services.vector.past_servicer import PastServicer

Context = aio.ServicerContext[Message, Message]
_REVISIONS_A_PAGE = 100


class MemoryServicer(PastServicer):
    """Single memories; the contract's comments say what each call does.

    `space` holds the vectors of the provider's model. Texts are embedded before the
    transaction, so that no lock waits for a model.
    """

    def __init__(
        self,
        database: Database,
        provider: EmbeddingProvider,
        space: EmbeddingSpace,
        tokens: PageTokens,
    ) -> None:
        super().__init__(database, tokens)
        self._provider = provider
        self._space = space

    async def AddMemory(
        self, request: pb.AddMemoryRequest, context: Context
    ) -> pb.AddMemoryResponse:
        user = User.served(request.user_id)
        memory = new_memory_of(request.memory)
        if not memory.content.strip():
            raise invalid("memory.content", "is required", "FIELD_REQUIRED")
        embedded = await try_embed(self._provider, memory.content)
        memory = replace(memory, vector=embedded.vector)

        async def work(connection: Connection) -> pb.AddMemoryResponse:
            async def write() -> pb.AddMemoryResponse:
                stored = await remembering.add(connection, user, memory, self._space)
                return pb.AddMemoryResponse(memory=_shown(user, stored))

            await lock_owner(connection, user.owner_id)
            return await once(connection, user.owner_id, request, pb.AddMemoryResponse, write)

        return await self._database.run(user.scope, work)

    async def GetMemory(
        self, request: pb.GetMemoryRequest, context: Context
    ) -> pb.GetMemoryResponse:
        user = User.served(request.user_id)
        as_of = moment_of(request, "as_of")
        async with self._database.transaction(user.scope, readonly=True) as connection:
            row = await memories.get_memory(
                connection, user.owner_id, UUID(request.memory_id), as_of
            )
            if row is None:
                raise NotFound("memory", request.memory_id)
            (stored,) = await remembering.with_accesses(connection, user, [row])
        return pb.GetMemoryResponse(memory=_shown(user, stored))

    async def ListMemories(
        self, request: pb.ListMemoriesRequest, context: Context
    ) -> pb.ListMemoriesResponse:
        user = User.served(request.user_id)
        size = page_size(request.page_size)
        after = place_of(self._tokens.decode(request))
        chosen = memory_filter_of(request)
        async with self._database.transaction(user.scope, readonly=True) as connection:
            rows = await memories.list_memories(connection, user.owner_id, chosen, size + 1, after)
            page = await remembering.with_accesses(connection, user, rows[:size])
        token = ""
        if len(rows) > size:
            last = rows[size - 1]
            token = self._tokens.encode(cursor_of(last.first_recorded_at, last.memory_id), request)
        return pb.ListMemoriesResponse(
            memories=[_shown(user, stored) for stored in page], next_page_token=token
        )

    async def UpdateMemory(
        self, request: pb.UpdateMemoryRequest, context: Context
    ) -> pb.UpdateMemoryResponse:
        given, paths = request.memory, list(request.update_mask.paths)
        user = User.served(_named(given.user_id, "memory.user_id"))
        _named(given.memory_id, "memory.memory_id")
        correction = correction_of(given, paths)
        vector = None
        if "content" in paths:
            vector = (await try_embed(self._provider, given.content)).vector

        async def work(connection: Connection) -> pb.UpdateMemoryResponse:
            async def write() -> pb.UpdateMemoryResponse:
                stored = await remembering.correct(
                    connection, user, UUID(given.memory_id), correction, self._space, vector
                )
                return pb.UpdateMemoryResponse(memory=_shown(user, stored))

            await lock_owner(connection, user.owner_id)
            return await once(connection, user.owner_id, request, pb.UpdateMemoryResponse, write)

        return await self._database.run(user.scope, work)

    async def DeleteMemory(
        self, request: pb.DeleteMemoryRequest, context: Context
    ) -> pb.DeleteMemoryResponse:
        user = User.served(request.user_id)

        async def work(connection: Connection) -> bool:
            await lock_owner(connection, user.owner_id)
            return await memories.retract_memory(connection, user.owner_id, UUID(request.memory_id))

        return pb.DeleteMemoryResponse(deleted=await self._database.run(user.scope, work))

    async def ListMemoryRevisions(
        self, request: pb.ListMemoryRevisionsRequest, context: Context
    ) -> pb.ListMemoryRevisionsResponse:
        user = User.served(request.user_id)
        size = page_size(request.page_size, default=_REVISIONS_A_PAGE)
        after = place_of(self._tokens.decode(request))
        async with self._database.transaction(user.scope, readonly=True) as connection:
            rows = await memories.list_revisions(
                connection,
                user.owner_id,
                UUID(request.memory_id),
                size + 1,
                after,
                moment_of(request, "as_of"),
            )
            if not rows and after is None:
                raise NotFound("memory", request.memory_id)
            page = await remembering.with_accesses(connection, user, rows[:size])
        token = ""
        if len(rows) > size:
            last = rows[size - 1]
            token = self._tokens.encode(cursor_of(last.recorded_at, last.item_id), request)
        return pb.ListMemoryRevisionsResponse(
            revisions=[_shown(user, stored) for stored in page], next_page_token=token
        )


def _shown(user: User, stored: remembering.Stored) -> types_pb2.Memory:
    return memory_of(stored.row, user.user_id, stored.access)


def _named(value: str, field: str) -> str:
    """The id that says which memory; what an update leaves out is checked by nobody else."""
    if not value:
        raise invalid(field, "is required", "FIELD_REQUIRED")
    return value
