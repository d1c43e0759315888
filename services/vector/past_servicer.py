"""The gRPC face of the past: rollbacks, and the timeline."""

from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import memory_service_pb2 as pb
from mnema.v1.memory_service_pb2_grpc import MemoryServiceServicer
from services.contract.convert_message import datetime_of
from services.contract.user import User
from services.runtime.database import Connection, Database
from services.runtime.errors import invalid
from services.runtime.paging import PageTokens, page_size
from services.storage import jobs, rollbacks
from services.storage.foundation import lock_owner, register_user
from services.storage.requests import once
from services.storage.timeline import list_timeline
from services.vector import convert_past as convert

Context = aio.ServicerContext[Message, Message]


class PastServicer(MemoryServiceServicer):
    """What MemoryService does with the past; the contract's comments say what each call does."""

    def __init__(self, database: Database, tokens: PageTokens) -> None:
        self._database = database
        self._tokens = tokens

    async def RollbackMemories(
        self, request: pb.RollbackMemoriesRequest, context: Context
    ) -> pb.RollbackMemoriesResponse:
        user = User.served(request.user_id)
        to_time = datetime_of(request.to_time)

        async def work(connection: Connection) -> pb.RollbackMemoriesResponse:
            async def write() -> pb.RollbackMemoriesResponse:
                await register_user(connection, user.owner_id, user.tenant_id, user.user_id)
                done = await rollbacks.roll_back(connection, user.owner_id, to_time)
                await _embed(connection, user, done)
                return pb.RollbackMemoriesResponse(
                    rollback=convert.rollback_message(done, user.user_id)
                )

            await lock_owner(connection, user.owner_id)
            return await once(
                connection, user.owner_id, request, pb.RollbackMemoriesResponse, write
            )

        return await self._database.run(user.scope, work)

    async def UndoRollback(
        self, request: pb.UndoRollbackRequest, context: Context
    ) -> pb.UndoRollbackResponse:
        user = User.served(request.user_id)
        rollback_id = UUID(request.rollback_id)

        async def work(connection: Connection) -> pb.UndoRollbackResponse:
            async def write() -> pb.UndoRollbackResponse:
                done = await rollbacks.undo_rollback(connection, user.owner_id, rollback_id)
                await _embed(connection, user, done)
                return pb.UndoRollbackResponse(
                    rollback=convert.rollback_message(done, user.user_id)
                )

            await lock_owner(connection, user.owner_id)
            return await once(connection, user.owner_id, request, pb.UndoRollbackResponse, write)

        return await self._database.run(user.scope, work)

    async def ListRollbacks(
        self, request: pb.ListRollbacksRequest, context: Context
    ) -> pb.ListRollbacksResponse:
        user = User.served(request.user_id)
        size = page_size(request.page_size)
        cursor = self._tokens.decode(request)
        after = datetime.fromisoformat(str(cursor[0])) if cursor else None
        async with self._database.transaction(user.scope, readonly=True) as connection:
            rows = await rollbacks.list_rollbacks(connection, user.owner_id, size + 1, after)
        token = ""
        if len(rows) > size:
            token = self._tokens.encode((rows[size - 1].recorded_at.isoformat(),), request)
        return pb.ListRollbacksResponse(
            rollbacks=[convert.rollback_message(row, user.user_id) for row in rows[:size]],
            next_page_token=token,
        )

    async def ListTimeline(
        self, request: pb.ListTimelineRequest, context: Context
    ) -> pb.ListTimelineResponse:
        user = User.served(request.user_id)
        size = page_size(request.page_size)
        after = convert.place_of(self._tokens.decode(request))
        span = convert.span_of(request)
        if span.start and span.end and span.start > span.end:
            raise invalid("end_time", "must not be before start_time", "FIELD_OUT_OF_RANGE")
        async with self._database.transaction(
            user.scope, readonly=True, isolation="repeatable_read"
        ) as connection:
            found = await list_timeline(connection, user.owner_id, span, size + 1, after)
            page = convert.fitting(found[:size])
            accesses = await convert.accesses_of(connection, user, page)
        token = ""
        if len(page) < len(found):
            token = self._tokens.encode(convert.cursor_of(page[-1]), request)
        return pb.ListTimelineResponse(
            entries=[convert.entry_message(each, user.user_id, accesses) for each in page],
            next_page_token=token,
        )


async def _embed(connection: Connection, user: User, done: rollbacks.Rollback) -> None:
    """What had no vector when it was taken back has none now that it comes back."""
    if done.memories_restored:
        await jobs.enqueue(connection, jobs.EMBED, user.payload())
