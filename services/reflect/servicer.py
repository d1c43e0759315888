"""The gRPC face of reflect."""

from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import reflect_service_pb2 as pb
from mnema.v1 import reflect_service_pb2_grpc
from services.contract.convert_graph import moment_of
from services.contract.digest_job import DEFAULT_BATCH, queue_digest
from services.contract.user import User
from services.reflect.convert import (
    digest_message,
    digest_response,
    profile_message,
    state_name,
)
from services.reflect.digest import Digested, Digester, Material, Thought
from services.reflect.one_at_a_time import OneAtATime
from services.runtime.database import Connection, Database
from services.runtime.errors import NotFound
from services.runtime.ids import new_id
from services.runtime.paging import PageTokens, page_size
from services.storage import digest_runs, digests
from services.storage.foundation import register_user
from services.storage.requests import answered, once

Context = aio.ServicerContext[Message, Message]


class ReflectServicer(reflect_service_pb2_grpc.ReflectServiceServicer):
    """Digests and the emotion profile; the contract's comments say what each call does.

    A digest in the background gets `max_attempts`.
    """

    def __init__(
        self, database: Database, digester: Digester, tokens: PageTokens, max_attempts: int
    ) -> None:
        self._database = database
        self._digester = digester
        self._tokens = tokens
        self._max_attempts = max_attempts
        self._turns = OneAtATime()

    async def Digest(self, request: pb.DigestRequest, context: Context) -> pb.DigestResponse:
        user = User.served(request.user_id)
        if request.background:
            return await self._queue(user, request)
        # Two at once would both ask for the same, and one would be thrown away.
        async with self._turns.of(user.owner_id):
            return await self._digest(user, request)

    async def _digest(self, user: User, request: pb.DigestRequest) -> pb.DigestResponse:
        async with self._database.transaction(user.scope, readonly=True) as connection:
            known = await answered(connection, user.owner_id, request, pb.DigestResponse)
        if known is not None:
            return known
        batch_size = request.batch_size or DEFAULT_BATCH
        material = await self._digester.read(user, batch_size)
        thought = await self._digester.think(material)

        async def store(connection: Connection) -> pb.DigestResponse:
            async def write() -> pb.DigestResponse:
                return await self._store(connection, user, batch_size, material, thought)

            return await once(connection, user.owner_id, request, pb.DigestResponse, write)

        return await self._database.run(user.scope, store)

    async def _store(
        self,
        connection: Connection,
        user: User,
        batch_size: int,
        material: Material,
        thought: Thought,
    ) -> pb.DigestResponse:
        """A digest that had nothing to read leaves no trace, but that it looked."""
        if not thought.memories:
            await digest_runs.uncount_messages(connection, user.owner_id, material.messages)
            profile = await digests.get_emotion_profile(connection, user.owner_id)
            return digest_response(Digested(0, (), profile), None)
        digest_id = new_id()
        await digest_runs.insert_running(connection, user.owner_id, digest_id, batch_size)
        digested = await self._digester.store(connection, user, digest_id, thought)
        if digested is None:
            raise AssertionError("a digest that has just begun is running")
        # Behind the user's lock, which the store has taken: as an extraction counts.
        await digest_runs.uncount_messages(connection, user.owner_id, material.messages)
        return digest_response(digested, digest_id)

    async def _queue(self, user: User, request: pb.DigestRequest) -> pb.DigestResponse:
        async def store(connection: Connection) -> pb.DigestResponse:
            async def write() -> pb.DigestResponse:
                await register_user(connection, user.owner_id, user.tenant_id, user.user_id)
                digest_id = await queue_digest(
                    connection,
                    user,
                    "call",
                    batch_size=request.batch_size or DEFAULT_BATCH,
                    max_attempts=self._max_attempts,
                )
                return pb.DigestResponse(digest_id=str(digest_id))

            return await once(connection, user.owner_id, request, pb.DigestResponse, write)

        return await self._database.run(user.scope, store)

    async def GetDigest(
        self, request: pb.GetDigestRequest, context: Context
    ) -> pb.GetDigestResponse:
        user = User.served(request.user_id)
        async with self._database.transaction(user.scope, readonly=True) as connection:
            row = await digest_runs.get_digest(connection, user.owner_id, UUID(request.digest_id))
            if row is None:
                raise NotFound("digest", request.digest_id)
            insights = await digest_runs.insights_by_item(
                connection, user.owner_id, row.insight_items
            )
            profile = None
            if row.profile_revision is not None:
                profile = await digests.get_profile_revision(
                    connection, user.owner_id, row.profile_revision
                )
        return pb.GetDigestResponse(digest=digest_message(row, insights, profile))

    async def ListDigests(
        self, request: pb.ListDigestsRequest, context: Context
    ) -> pb.ListDigestsResponse:
        user = User.served(request.user_id)
        size = page_size(request.page_size)
        cursor = self._tokens.decode(request)
        after = cursor and (datetime.fromisoformat(str(cursor[0])), UUID(str(cursor[1])))
        async with self._database.transaction(user.scope, readonly=True) as connection:
            rows = await digest_runs.list_digests(
                connection,
                user.owner_id,
                state=state_name(request.state),
                after=after or None,
                limit=size + 1,
            )
        token = ""
        if len(rows) > size:
            last = rows[size - 1]
            cursor = (last.recorded_at.isoformat(), str(last.digest_id))
            token = self._tokens.encode(cursor, request)
        return pb.ListDigestsResponse(
            digests=map(digest_message, rows[:size]), next_page_token=token
        )

    async def GetEmotionProfile(
        self, request: pb.GetEmotionProfileRequest, context: Context
    ) -> pb.GetEmotionProfileResponse:
        user = User.served(request.user_id)
        async with self._database.transaction(user.scope, readonly=True) as connection:
            profile = await digests.get_emotion_profile(
                connection, user.owner_id, moment_of(request, "as_of")
            )
        return pb.GetEmotionProfileResponse(emotion_profile=profile_message(profile))
