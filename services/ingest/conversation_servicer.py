"""The gRPC face of conversations."""

from uuid import UUID

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import conversation_service_pb2 as pb
from mnema.v1.conversation_service_pb2_grpc import ConversationServiceServicer
from services.contract.convert_message import message_of
from services.contract.json_values import struct_dict
from services.contract.user import User
from services.ingest import convert
from services.ingest.closing import close
from services.ingest.message_pages import message_page
from services.runtime.config import OptionSettings
from services.runtime.database import Connection, Database
from services.runtime.errors import AlreadyExists, NotFound
from services.runtime.ids import new_id
from services.runtime.paging import PageTokens, page_size
from services.storage import messages, sessions
from services.storage.foundation import register_user
from services.storage.requests import once

Context = aio.ServicerContext[Message, Message]


class ConversationServicer(ConversationServiceServicer):
    """Sessions and messages; the contract's comments say what each call does."""

    def __init__(self, database: Database, server: OptionSettings, tokens: PageTokens) -> None:
        self._database = database
        self._server = server
        self._tokens = tokens

    async def CreateSession(
        self, request: pb.CreateSessionRequest, context: Context
    ) -> pb.CreateSessionResponse:
        user = User.served(request.user_id)
        session_id = request.session_id or str(new_id())

        async def work(connection: Connection) -> pb.CreateSessionResponse:
            async def write() -> pb.CreateSessionResponse:
                await register_user(connection, user.owner_id, user.tenant_id, user.user_id)
                row = await sessions.create_session(
                    connection, user.owner_id, session_id, struct_dict(request.metadata)
                )
                if row is None:
                    raise AlreadyExists(
                        f"there is a session {session_id!r} already",
                        metadata={"resource_type": "session", "resource_name": session_id},
                    )
                return pb.CreateSessionResponse(session=convert.session_of(row, user.user_id))

            return await once(connection, user.owner_id, request, pb.CreateSessionResponse, write)

        return await self._database.run(user.scope, work)

    async def GetSession(
        self, request: pb.GetSessionRequest, context: Context
    ) -> pb.GetSessionResponse:
        user = User.served(request.user_id)
        async with self._database.transaction(user.scope, readonly=True) as connection:
            row = await sessions.get_session(
                connection,
                user.owner_id,
                request.session_id,
                convert.moment_of(request, "as_of"),
            )
        if row is None:
            raise NotFound("session", request.session_id)
        return pb.GetSessionResponse(session=convert.session_of(row, user.user_id))

    async def ListSessions(
        self, request: pb.ListSessionsRequest, context: Context
    ) -> pb.ListSessionsResponse:
        user = User.served(request.user_id)
        size = page_size(request.page_size, default=10)
        after = convert.time_and_name(self._tokens.decode(request))
        async with self._database.transaction(user.scope, readonly=True) as connection:
            rows = await sessions.list_sessions(
                connection, user.owner_id, after, size + 1, convert.moment_of(request, "as_of")
            )
        token = ""
        if len(rows) > size:
            last = rows[size - 1]
            token = self._tokens.encode((last.latest.isoformat(), last.session_id), request)
        return pb.ListSessionsResponse(
            sessions=[convert.session_of(row, user.user_id) for row in rows[:size]],
            next_page_token=token,
        )

    async def CloseSession(
        self, request: pb.CloseSessionRequest, context: Context
    ) -> pb.CloseSessionResponse:
        user = User.served(request.user_id)

        async def work(connection: Connection) -> sessions.SessionRow | None:
            await close(connection, user, request.session_id, self._server)
            return await sessions.get_session(connection, user.owner_id, request.session_id)

        row = await self._database.run(user.scope, work)
        if row is None:
            raise NotFound("session", request.session_id)
        return pb.CloseSessionResponse(session=convert.session_of(row, user.user_id))

    async def GetMessage(
        self, request: pb.GetMessageRequest, context: Context
    ) -> pb.GetMessageResponse:
        user = User.served(request.user_id)
        async with self._database.transaction(user.scope, readonly=True) as connection:
            rows = await messages.get_messages(
                connection,
                user.owner_id,
                [UUID(request.message_id)],
                convert.moment_of(request, "as_of"),
            )
        if not rows:
            raise NotFound("message", request.message_id)
        return pb.GetMessageResponse(message=message_of(rows[0], user.user_id))

    async def ListMessages(
        self, request: pb.ListMessagesRequest, context: Context
    ) -> pb.ListMessagesResponse:
        user = User.served(request.user_id)
        size = page_size(request.page_size, default=100)
        cursor = self._tokens.decode(request)
        async with self._database.transaction(user.scope, readonly=True) as connection:
            page = await message_page(connection, user, request, cursor, size)
        return pb.ListMessagesResponse(
            messages=[message_of(row, user.user_id) for row in page.rows],
            next_page_token=self._tokens.encode(page.cursor, request) if page.cursor else "",
        )
