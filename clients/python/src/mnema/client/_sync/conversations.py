# Written by tools/sync_client.py from _async/conversations.py: change that file, not this one.
"""Sessions and their messages."""

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from mnema.client._convert.json_values import struct_of
from mnema.client._convert.messages import message_of, session_of
from mnema.client._convert.names import EXTRACTION_STATES
from mnema.client._convert.times import timestamp_of
from mnema.client._sync.calls import Caller, take
from mnema.client._sync.intake import Intake
from mnema.client.models import ConversationMessage, ConversationSession
from mnema.client.results import NewMessage
from mnema.v1 import conversation_service_pb2 as pb
from mnema.v1.conversation_service_pb2_grpc import ConversationServiceStub

_UNEXTRACTED = ("pending", "running", "failed")  # in the order in which messages pass them


class Conversations(Intake):
    """Conversations: `nm.conversations`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def add_messages_batch(
        self,
        user_id: str,
        messages: Sequence[NewMessage | Mapping[str, Any]],
        session_id: str | None = None,
    ) -> tuple[str, list[str]]:
        """Stores many messages, all or none; the session's id and theirs. See `ingest_batch`.

        Example:
            with Mnema() as nm:
                session_id, msg_ids = nm.conversations.add_messages_batch(
                    "alice", messages=[{"role": "user", "content": "I moved to Zurich"}]
                )
        """
        return self.ingest_batch(user_id, messages, session_id)

    def get_session_messages(
        self,
        user_id: str,
        session_id: str,
        limit: int | None = 100,
        offset: int = 0,
        *,
        as_of: datetime | None = None,
    ) -> list[ConversationMessage]:
        """Lists a session's messages, the oldest first.

        Args:
            user_id: whose session it is.
            session_id: the session. One that does not exist has no messages.
            limit: how many at most. None: all.
            offset: how many to leave out at the start. To read a long session through, take
                `iter_messages`: it reads nothing twice.
            as_of: lists those that were there at that moment. Default: now.
        """
        if offset < 0:
            raise ValueError(f"offset is {offset}: it must be 0 or more")
        if limit is not None and limit < 0:
            raise ValueError(f"limit is {limit}: it must be 0 or more")
        if limit == 0:
            return []
        reach = None if limit is None else offset + limit
        messages = take(self._messages(user_id, session_id, None, reach, as_of), reach)
        return messages[offset:]

    def get_unextracted_messages(
        self, user_id: str, session_id: str | None = None, limit: int = 100
    ) -> list[ConversationMessage]:
        """Lists messages that are not in memory yet, the oldest first: waiting, or failed."""
        found: dict[str, ConversationMessage] = {}
        for state in _UNEXTRACTED:
            messages = self._messages(user_id, session_id, state, limit)
            # A message may pass on while we look: the later look knows more.
            found.update({each.id: each for each in take(messages, limit)})
        return sorted(found.values(), key=attrgetter("created_at", "id"))[:limit]

    def iter_messages(
        self, user_id: str, session_id: str | None = None
    ) -> Generator[ConversationMessage]:
        """Iterates over messages in the order they were stored: of one session, or of all."""
        return self._messages(user_id, session_id, None, None)

    def get_message(
        self, user_id: str, message_id: str, *, as_of: datetime | None = None
    ) -> ConversationMessage:
        """Gets one message.

        Raises:
            NotFound: the user has none of that id (or had none at `as_of`).
        """
        stub = self._caller.stub(ConversationServiceStub)
        request = pb.GetMessageRequest(
            user_id=user_id, message_id=message_id, as_of=timestamp_of(as_of)
        )
        return message_of((self._caller.read(stub.GetMessage, request)).message)

    def create_session(
        self,
        user_id: str,
        session_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> ConversationSession:
        """Opens a session ahead of its first message; `ingest` would open it too.

        Args:
            user_id: whose it is.
            session_id: at most 256 characters. Default: a new UUID.
            metadata: your own data about it: JSON of at most 16 KiB.

        Raises:
            AlreadyExists: the user has one of that id.
        """
        stub = self._caller.stub(ConversationServiceStub)
        request = pb.CreateSessionRequest(
            user_id=user_id, session_id=session_id or "", metadata=struct_of(metadata)
        )
        return session_of((self._caller.write(stub.CreateSession, request)).session)

    def get_session(
        self, user_id: str, session_id: str, *, as_of: datetime | None = None
    ) -> ConversationSession:
        """Gets one session, as it stood at `as_of` (default: now).

        Raises:
            NotFound: the user has none of that id (or had none at `as_of`).
        """
        stub = self._caller.stub(ConversationServiceStub)
        request = pb.GetSessionRequest(
            user_id=user_id, session_id=session_id, as_of=timestamp_of(as_of)
        )
        return session_of((self._caller.read(stub.GetSession, request)).session)

    def close_session(self, user_id: str, session_id: str) -> ConversationSession:
        """Closes a session: it takes no more messages, and what it holds is extracted now.

        Closing a closed session changes nothing.

        Raises:
            NotFound: the user has none of that id.
        """
        stub = self._caller.stub(ConversationServiceStub)
        request = pb.CloseSessionRequest(user_id=user_id, session_id=session_id)
        return session_of((self._caller.once(stub.CloseSession, request)).session)

    def list_sessions(
        self, user_id: str, limit: int = 10, *, as_of: datetime | None = None
    ) -> list[ConversationSession]:
        """Lists a user's sessions, the one with the newest message first.

        As they stood at `as_of` (default: now).
        """
        return take(self._sessions(user_id, limit, as_of), limit)

    def iter_sessions(self, user_id: str) -> Generator[ConversationSession]:
        """Iterates over all of a user's sessions, as `list_sessions`."""
        return self._sessions(user_id, None)

    def _sessions(
        self, user_id: str, limit: int | None, as_of: datetime | None = None
    ) -> Generator[ConversationSession]:
        stub = self._caller.stub(ConversationServiceStub)
        request = pb.ListSessionsRequest(user_id=user_id, as_of=timestamp_of(as_of))
        for page in self._caller.pages(stub.ListSessions, request, limit):
            for session in page.sessions:
                yield session_of(session)

    def _messages(
        self,
        user_id: str,
        session_id: str | None,
        state: str | None,
        limit: int | None,
        as_of: datetime | None = None,
    ) -> Generator[ConversationMessage]:
        request = pb.ListMessagesRequest(
            user_id=user_id, session_id=session_id or "", as_of=timestamp_of(as_of)
        )
        if state is not None:
            request.extraction_state = EXTRACTION_STATES.number(state)
        stub = self._caller.stub(ConversationServiceStub)
        for page in self._caller.pages(stub.ListMessages, request, limit):
            for message in page.messages:
                yield message_of(message)
